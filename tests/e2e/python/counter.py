"""A counter actor without an SDK: generated stubs and one stream.

    python counter.py 127.0.0.1:50001
"""

import queue
import sys

import grpc
from dapr.proto.runtime.v1 import actors_pb2 as api
from dapr.proto.runtime.v1 import dapr_pb2_grpc
from google.protobuf.any_pb2 import Any

stub = dapr_pb2_grpc.DaprStub(grpc.insecure_channel(sys.argv[1]))
answers = queue.SimpleQueue()
initial = api.SubscribeActorEventsRequestInitialAlpha1(entities=["PyCounter"])
answers.put(api.SubscribeActorEventsRequestAlpha1(initial_request=initial))


def add(call):
    name = {"actor_type": call.actor_type, "actor_id": call.actor_id}
    stored = stub.GetActorState(api.GetActorStateRequest(key="n", **name)).data
    total = int(stored or 0) + int(call.data or 1)
    write = api.TransactionalActorStateOperation(
        operationType="upsert", key="n", value=Any(value=str(total).encode())
    )
    stub.ExecuteActorStateTransaction(
        api.ExecuteActorStateTransactionRequest(operations=[write], **name)
    )
    return str(total).encode()


for event in stub.SubscribeActorEventsAlpha1(iter(answers.get, None)):
    if event.HasField("initial_response"):
        print("hosting PyCounter", flush=True)
    elif event.HasField("deactivate_request"):
        done = api.SubscribeActorEventsRequestDeactivateResponseAlpha1(id=event.deactivate_request.id)
        answers.put(api.SubscribeActorEventsRequestAlpha1(deactivate_response=done))
    elif event.HasField("invoke_request"):
        call = event.invoke_request
        if call.method == "add":
            reply = api.SubscribeActorEventsRequestInvokeResponseAlpha1(id=call.id, data=add(call))
            answers.put(api.SubscribeActorEventsRequestAlpha1(invoke_response=reply))
        else:
            no = api.SubscribeActorEventsRequestFailedAlpha1(id=call.id, code=5, message=call.method)
            answers.put(api.SubscribeActorEventsRequestAlpha1(request_failed=no))
