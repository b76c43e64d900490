//! The head of the chain of records, kept in the data folder: who cuts the chain in the database does not find it there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use berth_domain::audit::Head;
use berth_worker::audit::Heads;

const NAME: &str = "audit.head";

/// The file of a data folder.
pub struct HeadFile(PathBuf);

impl HeadFile {
    /// That of this folder.
    pub fn of(folder: &Path) -> Self {
        Self(folder.join(NAME))
    }
}

impl Heads for HeadFile {
    fn load(&self) -> io::Result<Option<Head>> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let head = Head::parse(&text);
        head.map(Some)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{} holds no head", self.0.display())))
    }

    /// The file has its name when it is whole. It is not synced: one from a second ago serves as well.
    fn store(&self, head: &Head) -> io::Result<()> {
        let part = self.0.with_extension("head.new");
        fs::write(&part, head.to_line() + "\n")?;
        fs::rename(&part, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = HeadFile::of(folder.path());
        assert_eq!(file.load().unwrap(), None);
        let head = Head { number: 3, hash: "ab".to_owned(), signature: "cd".to_owned() };
        file.store(&head).unwrap();
        assert_eq!(file.load().unwrap(), Some(head));
        fs::write(folder.path().join(NAME), "x").unwrap();
        assert!(file.load().is_err());
    }
}
