use std::io::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::*;

async fn read_all(mut body: RequestBody) -> Result<Vec<u8>, BodyError> {
    let mut all = Vec::new();
    while let Some(chunk) = body.chunk().await {
        all.extend_from_slice(&chunk?);
    }
    assert!(body.is_ended());
    Ok(all)
}

fn pieces(pieces: &[&'static [u8]]) -> BoxStream<'static, io::Result<Bytes>> {
    stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect::<Vec<_>>()).boxed()
}

fn file_of(content: &[u8]) -> Arc<std::fs::File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    Arc::new(file)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

#[tokio::test]
async fn request_bodies_end_where_they_were_declared_to_end() {
    assert_eq!(read_all(RequestBody::from_bytes("")).await.unwrap(), b"");
    assert_eq!(read_all(RequestBody::from_bytes("abc")).await.unwrap(), b"abc");
    let stream = || pieces(&[b"ab", b"", b"c"]);
    assert_eq!(read_all(RequestBody::from_stream(None, stream())).await.unwrap(), b"abc");
    assert_eq!(read_all(RequestBody::from_stream(Some(3), stream())).await.unwrap(), b"abc");
    assert_eq!(read_all(RequestBody::from_stream(Some(4), stream())).await, Err(BodyError::Disconnected));
    assert_eq!(read_all(RequestBody::from_stream(Some(2), stream())).await, Err(BodyError::Malformed));
}

#[tokio::test]
async fn a_file_is_sent_whole_and_in_part() {
    let bytes = content(700_000);
    let file = file_of(&bytes);
    for (offset, length) in [(0, 700_000), (1, 10), (262_143, 262_145), (699_999, 1), (5, 0)] {
        let body =
            ResponseBody::file(FileSlice { file: Arc::clone(&file), offset: offset as u64, length: length as u64 });
        assert_eq!(body.size_hint().exact(), Some(length as u64));
        assert_eq!(body.is_end_stream(), length == 0);
        let sent = body.collect().await.unwrap().to_bytes();
        assert!(sent == bytes[offset..offset + length], "{offset} {length}");
    }
}

#[tokio::test]
async fn a_file_that_shrank_is_an_error_after_its_last_byte() {
    let file = file_of(&content(300_000));
    let mut body = ResponseBody::file(FileSlice { file, offset: 0, length: 300_001 });
    let mut sent = 0;
    let error = loop {
        match body.frame().await {
            Some(Ok(frame)) => sent += frame.into_data().unwrap().len(),
            Some(Err(error)) => break error,
            None => panic!("ended as if whole"),
        }
    };
    assert_eq!(sent, 300_000);
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_sized_stream_keeps_its_word_or_fails() {
    let body = ResponseBody::stream(pieces(&[b"ab", b"c"]), Some(3));
    assert_eq!(body.size_hint().exact(), Some(3));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    assert!(ResponseBody::stream(pieces(&[b"ab", b"c"]), Some(2)).collect().await.is_err());
    assert!(ResponseBody::stream(pieces(&[b"ab", b"c"]), Some(4)).collect().await.is_err());
    assert_eq!(ResponseBody::stream(pieces(&[b"ab", b"c"]), None).collect().await.unwrap().to_bytes(), "abc");
}

#[tokio::test]
async fn full_and_empty_bodies() {
    assert!(ResponseBody::full("").is_end_stream());
    assert!(ResponseBody::empty().frame().await.is_none());
    let mut body = ResponseBody::full("abc");
    assert_eq!(body.size_hint().exact(), Some(3));
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
    assert!(body.is_end_stream());
}
