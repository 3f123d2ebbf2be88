//! One handle for every kind of thing the region has: what it can do follows from the traits its marker type has.

use std::{borrow::Cow, collections::VecDeque, marker::PhantomData};

use futures::{Stream, TryStreamExt, stream};
use reqwest::Method;
use serde::{Serialize, de::DeserializeOwned};
use types::api::{Accepted, Items};

use crate::{Call, Client, Query, Result, Service, call::segment};

/// How many items a page has when the caller sets no limit.
const PAGE: usize = 500;

/// Something that can be listed and shown.
pub trait Resource {
    type View: DeserializeOwned + Send + 'static;
    /// The collection's path.
    const PATH: &str;
}

/// Something that callers make; `Made` says whether it is there at once or a task makes it.
pub trait Creatable: Resource {
    type Create: Serialize + Sync;
    type Made: DeserializeOwned;
}

/// Something that can be changed in place.
pub trait Updatable: Resource {
    type Update: Serialize + Sync;
}

/// Something that callers delete.
pub trait Deletable: Resource {}

/// All things of one kind. Keys are names or ids.
pub struct Noun<T> {
    client: Client,
    path: Cow<'static, str>,
    kind: PhantomData<fn() -> T>,
}

impl Client {
    pub fn noun<T: Resource>(&self) -> Noun<T> {
        self.noun_at(T::PATH)
    }

    pub(crate) fn noun_at<T>(&self, path: impl Into<Cow<'static, str>>) -> Noun<T> {
        Noun {
            client: self.clone(),
            path: path.into(),
            kind: PhantomData,
        }
    }
}

impl<T> Noun<T> {
    fn call(&self, method: Method, path: String) -> Call {
        self.client.call(method, Service::Region, path)
    }

    fn one(&self, key: &str) -> String {
        format!("{}/{}", self.path, segment(key))
    }

    /// A named action on one of them; sent once, because doing it twice may not be the same as doing it once.
    pub async fn act<R: DeserializeOwned>(&self, key: &str, action: &str, body: &(impl Serialize + Sync)) -> Result<R> {
        let path = format!("{}/{action}", self.one(key));
        self.call(Method::POST, path).json(body).receive().await
    }

    /// The list of something that belongs to one of them, for example the addresses of a network.
    pub fn below<U>(&self, key: &str, path: &str) -> Noun<U> {
        self.client.noun_at(format!("{}/{path}", self.one(key)))
    }
}

impl<T: Resource> Noun<T> {
    /// All that match, page by page as they are read.
    pub fn list(&self, query: Query) -> Pages<T::View> {
        Pages {
            client: self.client.clone(),
            path: self.path.clone().into_owned(),
            left: query.limit,
            query,
            next: Next::First,
            item: PhantomData,
        }
    }

    pub async fn get(&self, key: &str) -> Result<T::View> {
        self.call(Method::GET, self.one(key)).receive().await
    }
}

impl<T: Creatable> Noun<T> {
    /// Asks for a new one. Sent again after a lost answer, it still makes only one.
    pub async fn create(&self, wanted: &T::Create) -> Result<T::Made> {
        let call = self.call(Method::POST, self.path.clone().into_owned());
        call.keyed().json(wanted).receive().await
    }

    /// What creating it would do, without doing it.
    pub(crate) async fn rehearse<R: DeserializeOwned>(&self, wanted: &T::Create) -> Result<R> {
        let call = self.call(Method::POST, self.path.clone().into_owned());
        call.query("dry_run", "true").repeatable().json(wanted).receive().await
    }
}

impl<T: Updatable> Noun<T> {
    /// Changes it if it is still at `version`; a conflict otherwise.
    pub async fn update(&self, key: &str, version: i64, change: &T::Update) -> Result<T::View> {
        let call = self
            .call(Method::PATCH, self.one(key))
            .header("if-match", version.to_string());
        call.json(change).receive().await
    }
}

impl<T: Deletable> Noun<T> {
    /// Deletes it; `None` when it is gone already, otherwise the task that deletes it.
    pub async fn delete(&self, key: &str) -> Result<Option<Accepted<T::View>>> {
        let reply = self.call(Method::DELETE, self.one(key)).send().await?;
        match reply.body.is_empty() {
            true => Ok(None),
            false => reply.json().map(Some),
        }
    }
}

/// A list being read.
pub struct Pages<V> {
    client: Client,
    path: String,
    query: Query,
    next: Next,
    left: Option<usize>,
    item: PhantomData<fn() -> V>,
}

enum Next {
    First,
    After(String),
    End,
}

impl<V: DeserializeOwned + Send + 'static> Pages<V> {
    /// The next page; `None` after the last.
    pub async fn page(&mut self) -> Result<Option<Vec<V>>> {
        if matches!(self.next, Next::End) || self.left == Some(0) {
            return Ok(None);
        }
        let size = self.left.unwrap_or(PAGE).min(PAGE);
        let mut call = self.client.call(Method::GET, Service::Region, self.path.clone());
        if !self.query.whole {
            call = call.query("limit", size.to_string());
        }
        for (key, value) in self.query.pairs() {
            call = call.query(key, value);
        }
        if let Next::After(mark) = &self.next {
            call = call.query("after", mark);
        }
        let mut page: Items<V> = call.receive().await?;
        self.next = page.next.take().map_or(Next::End, Next::After);
        if let Some(left) = &mut self.left {
            page.items.truncate(*left);
            *left -= page.items.len();
        }
        Ok(Some(page.items))
    }

    /// Every item, read ahead by at most one page.
    pub fn stream(self) -> impl Stream<Item = Result<V>> {
        stream::try_unfold((self, VecDeque::new()), async |(mut pages, mut ready)| {
            loop {
                if let Some(item) = ready.pop_front() {
                    return Ok(Some((item, (pages, ready))));
                }
                match pages.page().await? {
                    Some(page) => ready = VecDeque::from(page),
                    None => return Ok(None),
                }
            }
        })
    }

    /// Every item at once.
    pub async fn all(self) -> Result<Vec<V>> {
        self.stream().try_collect().await
    }
}
