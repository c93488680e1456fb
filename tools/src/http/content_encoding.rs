//! `Content-Encoding`: unpacks bodies that were sent packed, although the request asks for none.

use std::io::{self, Read};

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use super::response::BodyError;

/// How many times a body may be packed.
const MAX_LAYERS: usize = 3;

/// The buffer of a decoder, in bytes.
const BUFFER_BYTES: usize = 16 * 1024;

/// How a body was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Deflate,
    Brotli,
}

/// How the body of a response was packed, the first step first.
pub(super) fn packings(headers: &HeaderMap) -> Result<Vec<Packing>, BodyError> {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let lines: Vec<_> = lines.map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
    let names = lines.iter().flat_map(|it| it.split(',')).map(|it| it.trim().to_ascii_lowercase());
    let names: Vec<_> = names.filter(|it| !matches!(it.as_str(), "" | "identity")).collect();
    let unknown = || BodyError::Packed { how: names.join(", ") };
    let packings = names.iter().map(|name| match name.as_str() {
        "gzip" | "x-gzip" => Ok(Packing::Gzip),
        "deflate" => Ok(Packing::Deflate),
        "br" => Ok(Packing::Brotli),
        _ => Err(unknown()),
    });
    let packings: Vec<_> = packings.collect::<Result<_, _>>()?;
    if packings.len() > MAX_LAYERS { Err(unknown()) } else { Ok(packings) }
}

/// Unpacks a body. No step may result in more than `max_bytes`.
pub(super) fn unpack(
    packings: &[Packing],
    mut body: Vec<u8>,
    max_bytes: u64,
) -> Result<Vec<u8>, BodyError> {
    for packing in packings.iter().rev() {
        // A response without a body may say how it would be packed.
        if body.is_empty() {
            return Ok(body);
        }
        let damaged = |_error| BodyError::Packed { how: format!("{packing:?}").to_lowercase() };
        let unpacked = unpack_once(*packing, &body, max_bytes).map_err(damaged)?;
        body = unpacked.ok_or_else(|| BodyError::too_large(max_bytes))?;
    }
    Ok(body)
}

/// `None` means that there is more.
fn unpack_once(packing: Packing, body: &[u8], max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    match packing {
        Packing::Gzip => read_at_most(MultiGzDecoder::new(body), max_bytes),
        Packing::Brotli => read_at_most(Decompressor::new(body, BUFFER_BYTES), max_bytes),
        // Some servers leave out the header that this format should have.
        Packing::Deflate => read_at_most(ZlibDecoder::new(body), max_bytes)
            .or_else(|_error| read_at_most(DeflateDecoder::new(body), max_bytes)),
    }
}

fn read_at_most(unpacking: impl Read, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let mut unpacked = Vec::new();
    unpacking.take(max_bytes.saturating_add(1)).read_to_end(&mut unpacked)?;
    Ok((unpacked.len() as u64 <= max_bytes).then_some(unpacked))
}
