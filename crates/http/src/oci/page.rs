//! Pages of listings: their sizes and the links between them.

use berth_oci::error::ErrorCode;
use berth_oci::query::{PageSize, Query, link_next};
use http::StatusCode;
use http::header::LINK;
use http::response::Builder;

use super::Refusal;

/// The most items on one page, and the number where the client names none.
pub(super) const MAX_ITEMS: u64 = 1000;

/// How many items the client wants; `None` for as many as a page may have.
pub(super) fn size(query: &Query) -> Result<Option<u64>, Refusal> {
    match query.page_size() {
        Ok(PageSize::Absent) => Ok(None),
        Ok(PageSize::Items(count)) => Ok(Some(count)),
        Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::PaginationNumberInvalid, error.to_string())),
    }
}

/// Adds the link to the page behind `last`.
pub(super) fn link(head: Builder, path: &str, parameters: &[(&str, &str)]) -> Builder {
    head.header(LINK, link_next(path, parameters))
}
