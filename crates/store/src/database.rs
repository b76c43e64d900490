//! The database seam: transactions are functions (invariant 6 of `ARCHITECTURE.md`).
//!
//! A function given to [`Database::read`] or [`Database::write`] may run again, owns its input, does no I/O of its own
//! and asks neither clock nor randomness: what it needs of them is passed in. Each writer has its own savepoint, so an
//! error or a panic undoes that writer alone; its caller hears of success only after the outer commit is durable.

use std::sync::Arc;

use async_trait::async_trait;
use berth_oci::digest::Digest;

/// A parameter or a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A whole number; booleans are 0 and 1.
    Integer(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub Vec<Value>);

/// What went wrong below the rules: with the database, or with the rows in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database refused a statement.
    #[error("the database refused `{statement}`: {reason}")]
    Statement {
        /// The SQL text, without parameters.
        statement: String,
        /// The engine's words.
        reason: String,
    },
    /// A row does not read as the record that it should be.
    #[error("a row of {entity} cannot be read: {reason}")]
    Corrupt {
        /// The entity.
        entity: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk of the database is full. What was asked was not done.
    #[error("the disk of the database is full: {0}")]
    Full(String),
    /// The database cannot be used just now: it is locked, closing, out of reach, or its disk fails. Trying again may help.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database file cannot be used by this binary at all.
    #[error("the database cannot be opened: {0}")]
    Open(String),
    /// A function given to the database panicked; its changes were undone.
    #[error("a transaction ended by a panic and was undone")]
    Panicked,
}

impl StoreError {
    /// A damaged row or index led to the row of another digest than the one asked for.
    pub(crate) fn led_astray(entity: &'static str, asked: &Digest, found: &Digest) -> Self {
        Self::Corrupt { entity, reason: format!("{found} was found in the place of {asked}") }
    }
}

/// What a function may do inside its transaction. Parameters are numbered `?1`, `?2`, ... in the SQL text.
pub trait Transaction {
    /// Runs a statement and tells how many rows it changed.
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError>;
    /// Runs a query and gives all its rows; queries bound them by LIMIT.
    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError>;
}

/// A function of a transaction as the engine runs it: it keeps its own result, and says whether its changes are to stay.
pub type Job = Box<dyn FnMut(&mut dyn Transaction) -> Verdict + Send>;

/// What is to become of the changes of one [`Job`].
#[derive(Debug, Clone)]
pub enum Verdict {
    /// They are kept.
    Keep,
    /// They are undone; the function has its own reason.
    Undo,
    /// The database failed under the function; they are undone, and the engine may run it again where that helps.
    Failed(StoreError),
}

/// A database engine.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Runs a function that only reads, on one consistent state.
    async fn read(&self, job: Job) -> Result<(), StoreError>;
    /// Runs a function that writes; returns after its changes are durable.
    async fn write(&self, job: Job) -> Result<(), StoreError>;
    /// Lets the row numbers that the engine gives go on behind the greatest that is there, once rows were written with
    /// numbers of their own.
    async fn settle_row_numbers(&self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Whether the last write met a disk that fails, so that only a write can tell if it still does.
    fn is_failing(&self) -> bool {
        false
    }
    /// Bytes that may still be written to the disk of the database, where it is a disk of this machine.
    fn free_space(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
}

/// The database, whichever engine runs it.
#[derive(Clone)]
pub struct Database(Arc<dyn Engine>);

impl Database {
    /// A database over an engine.
    pub fn new(engine: impl Engine) -> Self {
        Self(Arc::new(engine))
    }

    /// Runs a function that only reads.
    pub async fn read<T, E, F>(&self, function: F) -> Result<T, E>
    where
        F: Fn(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, result) = keep_result(function);
        self.0.read(job).await.map_err(E::from)?;
        take_result(&result)
    }

    /// Runs a function that writes; when it returns `Ok`, its changes are durable.
    pub async fn write<T, E, F>(&self, function: F) -> Result<T, E>
    where
        F: Fn(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, result) = keep_result(function);
        self.0.write(job).await.map_err(E::from)?;
        take_result(&result)
    }

    /// What [`Engine::settle_row_numbers`] does.
    pub async fn settle_row_numbers(&self) -> Result<(), StoreError> {
        self.0.settle_row_numbers().await
    }

    /// What [`Engine::is_failing`] says.
    pub fn is_failing(&self) -> bool {
        self.0.is_failing()
    }

    /// What [`Engine::free_space`] says.
    pub fn free_space(&self) -> Result<Option<u64>, StoreError> {
        self.0.free_space()
    }
}

type Slot<T, E> = Arc<std::sync::Mutex<Option<Result<T, E>>>>;

fn keep_result<T, E, F>(function: F) -> (Job, Slot<T, E>)
where
    F: Fn(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let slot: Slot<T, E> = Arc::default();
    let kept = Arc::clone(&slot);
    let job = Box::new(move |txn: &mut dyn Transaction| {
        let result = function(txn);
        let verdict = if result.is_ok() { Verdict::Keep } else { Verdict::Undo };
        *kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(result);
        verdict
    });
    (job, slot)
}

fn take_result<T, E: From<StoreError>>(slot: &Slot<T, E>) -> Result<T, E> {
    let mut kept = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    kept.take().unwrap_or_else(|| Err(StoreError::Panicked.into()))
}

impl Row {
    fn value(&self, column: usize) -> &Value {
        self.0.get(column).unwrap_or(&Value::Null)
    }

    /// The whole number in a column.
    pub fn integer(&self, column: usize) -> Result<i64, StoreError> {
        match self.value(column) {
            Value::Integer(number) => Ok(*number),
            other => Err(mismatch(column, "a whole number", other)),
        }
    }

    /// The size or count in a column, which is never negative.
    pub fn unsigned(&self, column: usize) -> Result<u64, StoreError> {
        let number = self.integer(column)?;
        u64::try_from(number).map_err(|_| mismatch(column, "no negative number", self.value(column)))
    }

    /// The text in a column.
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        match self.value(column) {
            Value::Text(text) => Ok(text),
            other => Err(mismatch(column, "text", other)),
        }
    }

    /// The bytes in a column.
    pub fn bytes(&self, column: usize) -> Result<&[u8], StoreError> {
        match self.value(column) {
            Value::Bytes(bytes) => Ok(bytes),
            other => Err(mismatch(column, "bytes", other)),
        }
    }

    /// Whether a column is NULL.
    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.value(column), Value::Null)
    }

    /// The text in a column that may be NULL.
    pub fn optional_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        if self.is_null(column) { Ok(None) } else { self.text(column).map(Some) }
    }

    /// Reads a column's text by a word's own parser.
    pub fn parsed<T, E: std::fmt::Display>(
        &self,
        column: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, StoreError> {
        parse(self.text(column)?).map_err(|error| corrupt(format!("column {column}: {error}")))
    }
}

fn mismatch(column: usize, wanted: &str, found: &Value) -> StoreError {
    let kind = match found {
        Value::Null => "NULL",
        Value::Integer(_) => "a number",
        Value::Text(_) => "text",
        Value::Bytes(_) => "bytes",
    };
    corrupt(format!("column {column} should hold {wanted} and holds {kind}"))
}

fn corrupt(reason: String) -> StoreError {
    StoreError::Corrupt { entity: "a query's answer", reason }
}

macro_rules! value_from {
    ($($type:ty => |$name:ident| $make:expr),* $(,)?) => {
        $(impl From<$type> for Value { fn from($name: $type) -> Self { $make } })*
    };
}

value_from! {
    i64 => |number| Self::Integer(number),
    bool => |flag| Self::Integer(i64::from(flag)),
    // Sizes beyond 2^63 are refused at the door; the column holds the largest it can.
    u64 => |number| Self::Integer(i64::try_from(number).unwrap_or(i64::MAX)),
    &str => |text| Self::Text(text.to_owned()),
    String => |text| Self::Text(text),
    &String => |text| Self::Text(text.clone()),
    Vec<u8> => |bytes| Self::Bytes(bytes),
    &[u8] => |bytes| Self::Bytes(bytes.to_vec()),
    crate::Timestamp => |moment| Self::Integer(moment.as_millis()),
    &berth_oci::digest::Digest => |digest| Self::Text(digest.to_string()),
    &berth_oci::name::RepositoryName => |name| Self::Text(name.as_str().to_owned()),
    &berth_oci::tag::Tag => |tag| Self::Text(tag.as_str().to_owned()),
    &berth_oci::media_type::MediaType => |media_type| Self::Text(media_type.as_str().to_owned()),
    &berth_aws::AccountId => |account| Self::Text(account.as_str().to_owned()),
    &berth_aws::Region => |region| Self::Text(region.as_str().to_owned()),
    &crate::BlobKey => |key| Self::Text(key.as_str().to_owned()),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The parameters of a statement, in order.
#[macro_export]
macro_rules! parameters {
    ($($value:expr),* $(,)?) => { &[$($crate::Value::from($value)),*] };
}
