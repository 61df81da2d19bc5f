//! The categories of the shop, in the order in which they are shown.
//!
//! Each knows its goods: they join it before they say that they belong to it, so that none is
//! deleted that goods use. Invariants: no two are called the same, whatever the case; goods
//! belong to one at most.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;

/// Longest name of a category, in characters.
pub const NAME_CHARS_MAX: usize = 12;
/// Most categories.
pub const CATEGORIES_MAX: usize = 100;

/// All categories, by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Categories {
    all: BTreeMap<String, Category>,
}

/// A category.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Category {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub category_name: String,
    /// The lower, the earlier it is shown.
    pub sort: u32,
    /// What belongs to it.
    pub goods_ids: BTreeSet<String>,
}

/// A category, as the outside sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub category_name: String,
    /// The lower, the earlier it is shown.
    pub sort: u32,
}

/// The categories, as the outside sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Them, in the order in which they are shown.
    pub categories: Vec<Shown>,
}

/// Creates a category.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Create {
    /// The command's id.
    pub cmd_id: String,
    /// The category's id.
    pub id: String,
    /// What it is called.
    pub category_name: String,
    /// The lower, the earlier it is shown.
    #[serde(default)]
    pub sort: u32,
}

/// Changes a category; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Update {
    /// The command's id.
    pub cmd_id: String,
    /// The category's id.
    pub id: String,
    /// What it is called.
    pub category_name: Option<String>,
    /// The lower, the earlier it is shown.
    pub sort: Option<u32>,
}

/// Deletes a category.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delete {
    /// The command's id.
    pub cmd_id: String,
    /// The category's id.
    pub id: String,
}

/// Goods are to belong to a category, and to no other.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Join {
    /// The goods.
    pub goods_id: String,
    /// The category's id.
    pub category_id: String,
}

/// Goods belong to none.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leave {
    /// The goods.
    pub goods_id: String,
}

impl Category {
    fn shown(&self) -> Shown {
        Shown { id: self.id.clone(), category_name: self.category_name.clone(), sort: self.sort }
    }
}

impl Categories {
    /// As they were kept.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = Category>) -> Self {
        Self { all: all.into_iter().map(|one| (one.id.clone(), one)).collect() }
    }

    /// All of them, by their ids.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<String, Category> {
        &self.all
    }

    /// Them, in the order in which they are shown.
    #[must_use]
    pub fn list(&self) -> List {
        let mut categories: Vec<Shown> = self.all.values().map(Category::shown).collect();
        categories.sort_by(|one, other| (one.sort, &one.id).cmp(&(other.sort, &other.id)));
        List { categories }
    }

    /// Creates one.
    ///
    /// # Errors
    /// `invalid`; `duplicate` when the id or the name is in use; `conflict` when there are
    /// as many as there can be.
    pub fn create(&mut self, command: &Create) -> Result<Shown, Refusal> {
        checks::id("id", &command.id)?;
        if self.all.contains_key(&command.id) {
            let message = format!("the category {} exists already", command.id);
            return Err(Refusal::new(Reason::Duplicate, message).at("id"));
        }
        if self.all.len() == CATEGORIES_MAX {
            let message = format!("there are {CATEGORIES_MAX} categories already");
            return Err(Refusal::new(Reason::Conflict, message));
        }
        self.put(Category {
            id: command.id.clone(),
            category_name: command.category_name.clone(),
            sort: command.sort,
            goods_ids: BTreeSet::new(),
        })
    }

    /// Changes one.
    ///
    /// # Errors
    /// `invalid`, `not_found`; `duplicate` when another is called so.
    pub fn update(&mut self, command: &Update) -> Result<Shown, Refusal> {
        let mut category = self.get(&command.id)?.clone();
        if let Some(name) = &command.category_name {
            category.category_name.clone_from(name);
        }
        category.sort = command.sort.unwrap_or(category.sort);
        self.put(category)
    }

    /// Deletes one.
    ///
    /// # Errors
    /// `not_found`; `conflict` while goods belong to it.
    pub fn delete(&mut self, command: &Delete) -> Result<Shown, Refusal> {
        let category = self.get(&command.id)?;
        if !category.goods_ids.is_empty() {
            let message = format!("{} kinds of goods belong to it", category.goods_ids.len());
            return Err(Refusal::new(Reason::Conflict, message));
        }
        let shown = category.shown();
        self.all.remove(&command.id);
        Ok(shown)
    }

    /// Goods are to belong to one. Asked again, it changes nothing.
    ///
    /// # Errors
    /// `invalid`; `not_found` when there is no such category.
    pub fn join(&mut self, command: &Join) -> Result<Shown, Refusal> {
        checks::id("goodsId", &command.goods_id)?;
        let shown = self.get(&command.category_id)?.shown();
        for (id, category) in &mut self.all {
            if *id == command.category_id {
                category.goods_ids.insert(command.goods_id.clone());
            } else {
                category.goods_ids.remove(&command.goods_id);
            }
        }
        Ok(shown)
    }

    /// Goods belong to none; the categories after that. Asked again, it changes nothing.
    pub fn leave(&mut self, command: &Leave) -> List {
        for category in self.all.values_mut() {
            category.goods_ids.remove(&command.goods_id);
        }
        self.list()
    }

    fn get(&self, id: &str) -> Result<&Category, Refusal> {
        checks::id("id", id)?;
        self.all
            .get(id)
            .ok_or_else(|| Refusal::new(Reason::NotFound, format!("there is no category {id}")))
    }

    fn put(&mut self, category: Category) -> Result<Shown, Refusal> {
        checks::name("categoryName", &category.category_name, NAME_CHARS_MAX)?;
        let name = category.category_name.to_lowercase();
        let mut others = self.all.values().filter(|other| other.id != category.id);
        if others.any(|other| other.category_name.to_lowercase() == name) {
            let message = format!("another category is called {}", category.category_name);
            return Err(Refusal::new(Reason::Duplicate, message).at("categoryName"));
        }
        let shown = category.shown();
        self.all.insert(category.id.clone(), category);
        Ok(shown)
    }
}

#[cfg(test)]
mod tests;
