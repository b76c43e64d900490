//! The chain, as a function of values: what a link's hash is made of, what is signed, and what says where the chain begins.
//!
//! A link's hash is SHA-256 over the hash of the link before, its number, its time, and what is known of each of its rows. So
//! none can be taken out, changed or moved without another hash of every link from there on, and each hash is signed.

use berth_store::Timestamp;
use berth_store::audit::{Digested, LinkRecord};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::key::{SigningKey, has_signed};

const LINK: &[u8] = b"berth audit link 1\0";
const SIGNED: &[u8] = b"berth audit link signature 1\0";
const ANCHOR: &[u8] = b"berth audit anchor 1\0";

/// What the first link follows.
pub(super) const BEGINNING: [u8; 32] = [0; 32];

/// The latest link, as it is also kept outside of the database: who cuts off the end of the chain there is found by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The link's number.
    pub number: u64,
    /// Its hash in hexadecimal.
    pub hash: String,
    /// The signature of that in hexadecimal.
    pub signature: String,
}

impl Head {
    pub(super) fn of(link: &LinkRecord) -> Self {
        Self { number: link.number, hash: hex::encode(&link.hash), signature: hex::encode(&link.signature) }
    }

    /// Reads the line of JSON that [`to_line`](Self::to_line) writes.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// One line of JSON, without its end.
    pub fn to_line(&self) -> String {
        format!(r#"{{"number":{},"hash":"{}","signature":"{}"}}"#, self.number, self.hash, self.signature)
    }
}

/// The hash of a link while its rows come.
pub(super) struct LinkHash(Context);

impl LinkHash {
    pub(super) fn new(previous: &[u8], number: u64, at: Timestamp, rows: u64) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(LINK);
        context.update(previous);
        context.update(&number.to_be_bytes());
        context.update(&at.as_millis().to_be_bytes());
        context.update(&rows.to_be_bytes());
        Self(context)
    }

    pub(super) fn row(&mut self, row: &Digested) {
        for text in [&row.id, &row.kind] {
            self.0.update(&(text.len() as u64).to_be_bytes());
            self.0.update(text.as_bytes());
        }
        for number in [row.first_at.as_millis(), row.last_at.as_millis()] {
            self.0.update(&number.to_be_bytes());
        }
        self.0.update(&row.records.to_be_bytes());
        self.0.update(&(row.digest.len() as u64).to_be_bytes());
        self.0.update(&row.digest);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

/// The hash of a link over these rows.
pub(super) fn hash<'r>(
    previous: &[u8],
    number: u64,
    at: Timestamp,
    rows: impl ExactSizeIterator<Item = &'r Digested>,
) -> Vec<u8> {
    let mut hash = LinkHash::new(previous, number, at, rows.len() as u64);
    rows.for_each(|row| hash.row(row));
    hash.finish()
}

/// The link over rows that follows another.
pub(super) fn link(
    (previous, number): (&[u8], u64),
    at: Timestamp,
    rows: &[Digested],
    holder: &str,
    key: &SigningKey,
) -> LinkRecord {
    let hash = hash(previous, number, at, rows.iter());
    let signature = key.sign(&message(number, &hash));
    LinkRecord { number, chained_at: at, row_count: rows.len() as u64, hash, signature, holder: holder.to_owned() }
}

/// Whether a link's signature is that of its hash.
pub(super) fn is_signed(link: &LinkRecord, public: &[u8; 32]) -> bool {
    has_signed(public, &message(link.number, &link.hash), &link.signature)
}

/// Whether a head's signature is that of its hash.
pub(super) fn head_is_signed(head: &Head, public: &[u8; 32]) -> bool {
    let (Ok(hash), Ok(signature)) = (hex::decode(&head.hash), hex::decode(&head.signature)) else { return false };
    has_signed(public, &message(head.number, &hash), &signature)
}

fn message(number: u64, hash: &[u8]) -> Vec<u8> {
    [SIGNED, &number.to_be_bytes(), hash].concat()
}

/// What retention has taken: where the chain begins now, and up to which link the payloads of reads are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    /// The number of the last link that is gone; 0 where none is.
    pub(super) number: u64,
    /// Its hash.
    pub(super) hash: [u8; 32],
    /// The last link whose reads have no payload.
    pub(super) cleared: u64,
}

impl Default for Anchor {
    fn default() -> Self {
        Self { number: 0, hash: BEGINNING, cleared: 0 }
    }
}

impl Anchor {
    /// Number, hash, number and signature: 112 bytes.
    pub(super) fn seal(&self, key: &SigningKey) -> Vec<u8> {
        let body = self.body();
        let signature = key.sign(&[ANCHOR, &body].concat());
        [body, signature].concat()
    }

    /// Reads what [`seal`](Self::seal) wrote; `None` where the key did not sign it.
    pub(super) fn open(bytes: &[u8], public: &[u8; 32]) -> Option<Self> {
        let (body, signature) = bytes.split_at_checked(48)?;
        if !has_signed(public, &[ANCHOR, body].concat(), signature) {
            return None;
        }
        let (number, rest) = body.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let (cleared, _) = rest.split_first_chunk::<8>()?;
        Some(Self { number: u64::from_be_bytes(*number), hash: *hash, cleared: u64::from_be_bytes(*cleared) })
    }

    fn body(&self) -> Vec<u8> {
        [self.number.to_be_bytes().as_slice(), &self.hash, &self.cleared.to_be_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use berth_store::SystemRandom;
    use proptest::prelude::*;

    use super::*;
    use crate::seal::ServerKey;

    fn row(id: &str) -> Digested {
        let at = Timestamp::from_millis(1);
        let (id, kind) = (id.to_owned(), "change".to_owned());
        Digested { id, kind, first_at: at, last_at: at, records: 1, digest: vec![7; 32] }
    }

    fn key() -> SigningKey {
        SigningKey::of(&ServerKey::generate(&SystemRandom)).unwrap()
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let head = Head::of(&link((&BEGINNING, 1), Timestamp::from_millis(2), &[row("a")], "node", &key()));
        assert_eq!(Head::parse(&head.to_line()), Some(head));
        assert_eq!(Head::parse("{}"), None);
    }

    #[test]
    fn a_signature_is_of_this_number_and_hash_and_key() {
        let (key, other) = (key(), key());
        let made = link((&BEGINNING, 1), Timestamp::from_millis(2), &[row("a")], "node", &key);
        assert!(is_signed(&made, key.public()) && !is_signed(&made, other.public()));
        assert!(head_is_signed(&Head::of(&made), key.public()));
        assert!(!is_signed(&LinkRecord { number: 2, ..made.clone() }, key.public()));
        assert!(!is_signed(&LinkRecord { hash: vec![0; 32], ..made.clone() }, key.public()));
        assert!(!is_signed(&LinkRecord { signature: made.signature[..63].to_vec(), ..made }, key.public()));
    }

    #[test]
    fn an_anchor_opens_for_the_key_that_sealed_it() {
        let (key, anchor) = (key(), Anchor { number: 3, hash: [4; 32], cleared: 5 });
        let sealed = anchor.seal(&key);
        assert_eq!(Anchor::open(&sealed, key.public()), Some(anchor));
        for nth in 0..sealed.len() {
            let mut other = sealed.clone();
            other[nth] ^= 1;
            assert_eq!(Anchor::open(&other, key.public()), None, "{nth}");
        }
        assert_eq!(Anchor::open(&sealed[..47], key.public()), None);
    }

    fn rows() -> impl Strategy<Value = Vec<Digested>> {
        let one = ("[a-c]{0,3}", "[a-c]{0,2}", 0..3_i64, 0..3_i64, 0..3_u64, prop::collection::vec(0..2_u8, 0..3));
        let one = one.prop_map(|(id, kind, first, last, records, digest)| Digested {
            id,
            kind,
            first_at: Timestamp::from_millis(first),
            last_at: Timestamp::from_millis(last),
            records,
            digest,
        });
        prop::collection::vec(one, 0..4)
    }

    proptest! {
        #[test]
        fn rows_have_the_hash_of_no_other_rows(one in rows(), other in rows()) {
            let of = |rows: &[Digested]| hash(&BEGINNING, 1, Timestamp::from_millis(2), rows.iter());
            prop_assert_eq!(one == other, of(&one) == of(&other));
        }

        #[test]
        fn what_a_link_follows_and_its_number_and_time_count(previous in any::<[u8; 32]>(), number: u64, at: i64) {
            let of = |previous: &[u8], number, at| hash(previous, number, Timestamp::from_millis(at), [row("a")].iter());
            let this = of(&previous, number, at);
            let mut flipped = previous;
            flipped[0] ^= 1;
            prop_assert_ne!(&this, &of(&flipped, number, at));
            prop_assert_ne!(&this, &of(&previous, number ^ 1, at));
            prop_assert_ne!(&this, &of(&previous, number, at ^ 1));
        }
    }
}
