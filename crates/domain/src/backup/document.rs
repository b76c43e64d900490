//! The file of a backup's tables: JSON lines, compressed by gzip.
//!
//! `{"table":"tags","columns":[...]}` begins a table, an array is a row of it, `{"end":N}` says that there were N rows.
//! Bytes are `{"b":"<base64>"}`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_store::dump::{TABLES, Table};
use berth_store::{Row, Transaction, Value};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::json;

use super::BackupError;

/// Rows of a table as they are read.
pub(super) struct Batch {
    pub(super) table: &'static Table,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
}

impl Batch {
    /// The place of a column in its rows.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

/// Writes every table of one snapshot, and tells how many rows each has. What was in the file is replaced.
pub(super) fn write(txn: &mut dyn Transaction, file: &File) -> Result<BTreeMap<String, u64>, BackupError> {
    file.set_len(0)?;
    (&mut &*file).rewind()?;
    let mut out = GzEncoder::new(BufWriter::new(file), Compression::fast());
    let mut counts = BTreeMap::new();
    for table in TABLES {
        writeln!(out, "{}", json!({ "table": table.name, "columns": table.columns }))?;
        counts.insert(table.name.to_owned(), write_table(txn, table, &mut out)?);
    }
    writeln!(out, "{}", json!({ "end": counts.values().sum::<u64>() }))?;
    out.finish()?.flush()?;
    Ok(counts)
}

fn write_table(txn: &mut dyn Transaction, table: &Table, out: &mut impl io::Write) -> Result<u64, BackupError> {
    let (mut count, mut last) = (0, None);
    loop {
        let rows = table.rows(txn, last.as_ref())?;
        for row in &rows {
            serde_json::to_writer(&mut *out, &row.0.iter().map(to_json).collect::<Vec<_>>())
                .map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        count += rows.len() as u64;
        match rows.into_iter().next_back() {
            Some(row) => last = Some(row),
            None => return Ok(count),
        }
    }
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => json!({ "b": STANDARD.encode(bytes) }),
    }
}

fn from_json(value: serde_json::Value) -> Option<Value> {
    Some(match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Number(number) => Value::Integer(number.as_i64()?),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Object(object) => Value::Bytes(STANDARD.decode(object.get("b")?.as_str()?).ok()?),
        serde_json::Value::Bool(_) | serde_json::Value::Array(_) => return None,
    })
}

/// Reads the file of a backup's tables.
pub(super) struct Reader<'f> {
    id: &'f str,
    lines: io::Lines<BufReader<GzDecoder<&'f File>>>,
    table: Option<(&'static Table, Vec<String>)>,
    next: Option<serde_json::Value>,
    rows: u64,
}

impl<'f> Reader<'f> {
    /// Reads from the file's beginning.
    pub(super) fn new(id: &'f str, file: &'f File) -> Result<Self, BackupError> {
        (&mut &*file).rewind()?;
        let lines = BufReader::new(GzDecoder::new(file)).lines();
        Ok(Self { id, lines, table: None, next: None, rows: 0 })
    }

    /// The next rows, at most `limit` of them and all of one table; `None` behind the last one.
    pub(super) fn batch(&mut self, limit: usize) -> Result<Option<Batch>, BackupError> {
        let mut rows = Vec::new();
        while rows.len() < limit {
            match self.line()? {
                serde_json::Value::Array(values) => rows.push(self.row(values)?),
                header if !rows.is_empty() => {
                    self.next = Some(header);
                    break;
                }
                header if header.get("end").is_some() => return self.end(&header),
                header => self.table = Some(self.header(&header)?),
            }
        }
        self.rows += rows.len() as u64;
        let (table, columns) = self.table.clone().ok_or_else(|| self.damaged("rows come before a table"))?;
        Ok(Some(Batch { table, columns, rows }))
    }

    fn line(&mut self) -> Result<serde_json::Value, BackupError> {
        if let Some(header) = self.next.take() {
            return Ok(header);
        }
        let line = self.lines.next().ok_or_else(|| self.damaged("its tables end early"))?;
        let line = line.map_err(|error| self.damaged(&error))?;
        serde_json::from_str(&line).map_err(|error| self.damaged(&error))
    }

    fn header(&self, header: &serde_json::Value) -> Result<(&'static Table, Vec<String>), BackupError> {
        let name = header["table"].as_str().ok_or_else(|| self.damaged("a line of it is none"))?;
        let newer = |what: &str| BackupError::Newer(format!("{what} is unknown here"));
        let table = Table::find(name).ok_or_else(|| newer(&format!("table {name}")))?;
        let columns = header["columns"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        let columns: Vec<String> = columns.map(str::to_owned).collect();
        match columns.iter().find(|column| !table.columns.contains(&column.as_str())) {
            Some(column) => Err(newer(&format!("column {name}.{column}"))),
            None => Ok((table, columns)),
        }
    }

    fn row(&self, values: Vec<serde_json::Value>) -> Result<Row, BackupError> {
        let columns = self.table.as_ref().map_or(0, |(_, columns)| columns.len());
        let values: Option<Vec<Value>> = values.into_iter().map(from_json).collect();
        values.filter(|values| values.len() == columns).map(Row).ok_or_else(|| self.damaged("a row of it is none"))
    }

    fn end(&self, header: &serde_json::Value) -> Result<Option<Batch>, BackupError> {
        if header["end"] == json!(self.rows) { Ok(None) } else { Err(self.damaged("rows are missing")) }
    }

    fn damaged(&self, reason: impl std::fmt::Display) -> BackupError {
        BackupError::damaged(self.id, reason)
    }
}
