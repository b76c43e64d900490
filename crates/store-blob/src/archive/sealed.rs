//! An archive whose objects are encrypted: the STREAM construction over XChaCha20-Poly1305, in pieces of 64 KiB.
//!
//! An object is `BERTHSL1`, 19 bytes of nonce, and the pieces. Its name is authenticated with each piece, and the last
//! piece is marked: objects that were cut, joined, exchanged or changed cannot be read. Names and sizes are not hidden.

use std::io;
use std::sync::Arc;

use aead_stream::{DecryptorBE32, EncryptorBE32};
use async_trait::async_trait;
use base64::Engine as _;
use berth_store::{Archive, ArchiveError, Archived, Content, Random};
use bytes::{Buf as _, Bytes, BytesMut};
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::Payload;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"BERTHSL1";
const NONCE: usize = 19;
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;

/// The key that an archive is sealed with: 32 bytes. Never printed.
#[derive(Clone)]
pub struct ArchiveKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for ArchiveKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ArchiveKey(…)")
    }
}

impl ArchiveKey {
    /// Reads a key: 64 hexadecimal digits, or 32 bytes in base64; white space around them is allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let decoded = Zeroizing::new(
            hex::decode(text).ok().or_else(|| base64::engine::general_purpose::STANDARD.decode(text).ok())?,
        );
        <[u8; 32]>::try_from(decoded.as_slice()).ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }
}

/// An archive that seals what it hands on.
pub struct SealedArchive<A> {
    inner: A,
    key: ArchiveKey,
    random: Arc<dyn Random>,
}

impl<A: Archive> SealedArchive<A> {
    /// Whether an object of another archive is a sealed one; `None` where there is no such object.
    pub async fn is_sealed(inner: &A, name: &str) -> Result<Option<bool>, ArchiveError> {
        let mut content = match inner.get(name).await {
            Ok(content) => content,
            Err(ArchiveError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut start = BytesMut::new();
        let read = gather(&mut content, &mut start, MAGIC.len()).await;
        read.map_err(|source| ArchiveError::Failed { action: format!("reading {name}"), reason: source.to_string() })?;
        Ok(Some(start.starts_with(MAGIC)))
    }

    /// Seals what goes to `inner`.
    pub fn new(inner: A, key: ArchiveKey, random: Arc<dyn Random>) -> Self {
        Self { inner, key, random }
    }
}

#[async_trait]
impl<A: Archive> Archive for SealedArchive<A> {
    async fn put(&self, name: &str, content: Content<'_>) -> Result<(), ArchiveError> {
        let mut nonce = [0; NONCE];
        self.random.fill(&mut nonce);
        let sealer = EncryptorBE32::new((&*self.key.0).into(), (&nonce).into());
        let sealing =
            Sealing { content, name: name.as_bytes().to_vec(), gathered: BytesMut::new(), sealer: Some(sealer) };
        let pieces = stream::try_unfold(sealing, |mut sealing| async move {
            Ok(sealing.piece().await?.map(|piece| (piece, sealing)))
        });
        let head = Bytes::from([MAGIC.as_slice(), &nonce].concat());
        self.inner.put(name, stream::once(std::future::ready(Ok(head))).chain(pieces).boxed()).await
    }

    async fn get(&self, name: &str) -> Result<Content<'static>, ArchiveError> {
        let content = self.inner.get(name).await?;
        let opening = Opening {
            content,
            name: name.to_owned(),
            gathered: BytesMut::new(),
            key: self.key.clone(),
            opener: None,
            is_over: false,
        };
        let pieces = stream::try_unfold(opening, |mut opening| async move {
            Ok(opening.piece().await?.map(|piece| (piece, opening)))
        });
        Ok(pieces.boxed())
    }

    fn list(&self, folder: &str) -> BoxStream<'static, Result<Archived, ArchiveError>> {
        self.inner.list(folder).map_ok(|found| Archived { size: plain_size(found.size), ..found }).boxed()
    }

    async fn delete(&self, name: &str) -> Result<(), ArchiveError> {
        self.inner.delete(name).await
    }

    async fn sweep(&self) -> Result<(), ArchiveError> {
        self.inner.sweep().await
    }
}

/// How many bytes are sealed in an object of this size.
fn plain_size(sealed: u64) -> u64 {
    let pieces = sealed.saturating_sub((MAGIC.len() + NONCE) as u64);
    pieces.saturating_sub(pieces.div_ceil((PIECE + TAG) as u64) * TAG as u64)
}

/// Gathers until there is more than `size`; `false` where the content ended before.
async fn gather(content: &mut Content<'_>, gathered: &mut BytesMut, size: usize) -> io::Result<bool> {
    while gathered.len() <= size {
        match content.next().await {
            Some(frame) => gathered.extend_from_slice(&frame?),
            None => return Ok(false),
        }
    }
    Ok(true)
}

struct Sealing<'c> {
    content: Content<'c>,
    name: Vec<u8>,
    gathered: BytesMut,
    sealer: Option<EncryptorBE32<XChaCha20Poly1305>>,
}

impl Sealing<'_> {
    /// The next piece; the last one may be empty, so that every object has one.
    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        let Some(mut sealer) = self.sealer.take() else { return Ok(None) };
        let goes_on = gather(&mut self.content, &mut self.gathered, PIECE).await?;
        let plain = self.gathered.split_to(PIECE.min(self.gathered.len()));
        let payload = Payload { msg: &plain, aad: &self.name };
        let cipher = if goes_on {
            let cipher = sealer.encrypt_next(payload);
            self.sealer = Some(sealer);
            cipher
        } else {
            sealer.encrypt_last(payload)
        };
        cipher.map(|cipher| Some(cipher.into())).map_err(|_| io::Error::other("it is too large to be sealed"))
    }
}

struct Opening {
    content: Content<'static>,
    name: String,
    gathered: BytesMut,
    key: ArchiveKey,
    opener: Option<DecryptorBE32<XChaCha20Poly1305>>,
    is_over: bool,
}

impl Opening {
    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        if self.is_over {
            return Ok(None);
        }
        let mut opener = match self.opener.take() {
            Some(opener) => opener,
            None => self.opener().await?,
        };
        let goes_on = gather(&mut self.content, &mut self.gathered, PIECE + TAG).await?;
        let sealed = self.gathered.split_to((PIECE + TAG).min(self.gathered.len()));
        let payload = Payload { msg: &sealed, aad: self.name.as_bytes() };
        let plain = if goes_on {
            let plain = opener.decrypt_next(payload);
            self.opener = Some(opener);
            plain
        } else {
            self.is_over = true;
            opener.decrypt_last(payload)
        };
        plain.map(|plain| Some(plain.into())).map_err(|_| self.unreadable())
    }

    async fn opener(&mut self) -> io::Result<DecryptorBE32<XChaCha20Poly1305>> {
        gather(&mut self.content, &mut self.gathered, MAGIC.len() + NONCE).await?;
        if !self.gathered.starts_with(MAGIC) || self.gathered.len() < MAGIC.len() + NONCE {
            return Err(self.unreadable());
        }
        self.gathered.advance(MAGIC.len());
        let nonce = <[u8; NONCE]>::try_from(&*self.gathered.split_to(NONCE)).map_err(|_| self.unreadable())?;
        Ok(DecryptorBE32::new((&*self.key.0).into(), (&nonce).into()))
    }

    fn unreadable(&self) -> io::Error {
        let told = format!("{} does not open with this key, or was damaged or cut", self.name);
        io::Error::new(io::ErrorKind::InvalidData, told)
    }
}
