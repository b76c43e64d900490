use std::fs::File;
use std::io::Write as _;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn file_of(content: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    Arc::new(file)
}

async fn connected() -> (FileSender, Arc<Outgoing>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let outgoing = Arc::default();
    (FileSender::new(server, Arc::clone(&outgoing)), outgoing, client)
}

/// Writes as hyper does: all buffers in one list, advanced by what was written.
async fn write_all(sender: &mut FileSender, mut pieces: VecDeque<Piece>) -> std::io::Result<()> {
    while !pieces.is_empty() {
        let mut slices = [IoSlice::new(&[]); 8];
        let mut count = 0;
        for piece in &pieces {
            count += piece.chunks_vectored(&mut slices[count..]);
        }
        let mut written = sender.write_vectored(&slices[..count]).await?;
        while let Some(front) = pieces.front_mut().filter(|_| written > 0) {
            let taken = front.remaining().min(written);
            front.advance(taken);
            written -= taken;
            if front.remaining() == 0 {
                pieces.pop_front();
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn bytes_and_parts_of_files_arrive_in_their_order() {
    let (mut sender, outgoing, mut client) = connected().await;
    let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    let file = file_of(&content);
    let part = |offset, length| outgoing.send(FileSlice { file: Arc::clone(&file), offset, length });
    let pieces = VecDeque::from([
        Piece::Bytes(Bytes::from_static(b"head")),
        part(0, 12_000_000),
        Piece::Bytes(Bytes::from_static(b"between")),
        part(100, 3),
        part(4096, 70_000),
        Piece::Bytes(Bytes::from_static(b"end")),
    ]);
    let expected = [&b"head"[..], &content, b"between", &content[100..103], &content[4096..74_096], b"end"].concat();
    let reading = tokio::spawn(async move {
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.map(|_| received)
    });
    write_all(&mut sender, pieces).await.unwrap();
    sender.shutdown().await.unwrap();
    assert!(reading.await.unwrap().unwrap() == expected);
    assert!(outgoing.lock().is_empty());
}

#[tokio::test]
async fn a_file_that_is_too_short_is_an_error() {
    let (mut sender, outgoing, _client) = connected().await;
    let piece = outgoing.send(FileSlice { file: file_of(b"short"), offset: 0, length: 6 });
    let error = write_all(&mut sender, VecDeque::from([piece])).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

/// What a change of hyper could do: copy the buffer and write the copy.
#[tokio::test]
async fn a_copied_stand_in_never_goes_out() {
    let (mut sender, outgoing, mut client) = connected().await;
    let mut piece = outgoing.send(FileSlice { file: file_of(&[7; 9000]), offset: 0, length: 9000 });
    let mut copy = BytesMut::new();
    bytes::BufMut::put(&mut copy, &mut piece);
    assert_eq!((copy.len(), piece.remaining()), (9000, 0));
    sender.write_all(&copy).await.unwrap_err();
    drop(sender);
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"");
}
