//! Why a signed request is refused.

use std::fmt;

use super::date;

/// Where a request brings its credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query string: a presigned URL.
    Query,
}

/// Why a signed request is refused, in AWS's words where AWS has some. No text holds a secret, a session token, a
/// signature or the canonical request. Times are in seconds since 1970.
///
/// AWS's codes, of query services and of JSON services:
///
/// | kinds | code |
/// |---|---|
/// | `MissingAuthenticationToken` | `MissingAuthenticationToken`, `MissingAuthenticationTokenException` |
/// | `Missing` to `Expires` | `IncompleteSignature`, `IncompleteSignatureException` |
/// | all others | `SignatureDoesNotMatch`, `InvalidSignatureException` |
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigV4Error {
    /// The request brings no credentials of this kind.
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    /// A component of the header, or a parameter of the query, is missing.
    #[error("{}", missing(*.form, .part))]
    Missing {
        /// Where the credentials stand.
        form: Form,
        /// The component or parameter.
        part: &'static str,
    },
    /// Header form without a moment.
    #[error("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")]
    MissingDate,
    /// A part has not the form that it must have; the text is a sentence.
    #[error("{0}")]
    Malformed(&'static str),
    /// Another algorithm of AWS's family.
    #[error("Unsupported AWS 'algorithm': only 'AWS4-HMAC-SHA256' is supported.")]
    Algorithm,
    /// Something came twice, so that two readers could believe different things.
    #[error("The request brings more than one '{0}'.")]
    Ambiguous(&'static str),
    /// A part is beyond what is read.
    #[error("The request's {0} is too large to be verified.")]
    TooLarge(&'static str),
    /// `X-Amz-Expires` is no number of seconds from 1 to 604800.
    #[error("X-Amz-Expires must be a number of seconds from 1 to 604800.")]
    Expires,
    /// The scope does not end in `aws4_request`.
    #[error("Credential should be scoped with a valid terminator: 'aws4_request', not '{0}'.")]
    Terminator(String),
    /// The scope names a region that is none of those accepted. AWS does not say which are.
    #[error("Credential should be scoped to a valid region, not '{given}'. Valid here: {valid}.")]
    Region {
        /// The scope's region.
        given: String,
        /// Those accepted, with commas between them.
        valid: String,
    },
    /// The scope names another service; the text says which is right.
    #[error("Credential should be scoped to correct service: '{0}'.")]
    Service(String),
    /// The scope's day is not the moment's.
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope}' != '{}', from '{}'.",
        date::day(*.moment),
        date::iso(*.moment)
    )]
    Date {
        /// The scope's day, `YYYYMMDD`.
        scope: String,
        /// The request's moment.
        moment: i64,
    },
    /// Signed too long ago.
    #[error(
        "Signature expired: {} is now earlier than {} ({} - {})",
        date::iso(*.moment),
        date::iso(.now.saturating_sub(i64::from(*.allowed))),
        date::iso(*.now),
        Span(*.allowed)
    )]
    Expired {
        /// The request's moment.
        moment: i64,
        /// The verifier's time.
        now: i64,
        /// Seconds for which the signature held.
        allowed: u32,
    },
    /// Signed in the future.
    #[error(
        "Signature not yet current: {} is still later than {} ({} + {})",
        date::iso(*.moment),
        date::iso(.now.saturating_add(i64::from(*.allowed))),
        date::iso(*.now),
        Span(*.allowed)
    )]
    NotYetCurrent {
        /// The request's moment.
        moment: i64,
        /// The verifier's time.
        now: i64,
        /// Seconds that a client's clock may be ahead.
        allowed: u32,
    },
    /// The signature does not cover `host`.
    #[error("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")]
    HostNotSigned,
    /// The request has an `x-amz-…` header that the signature does not cover.
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    HeaderNotSigned(String),
    /// The signature covers a header that the request does not have.
    #[error("The request has no header '{0}', which it lists as signed.")]
    HeaderAbsent(String),
    /// The body is said to be unsigned, or signed in pieces.
    #[error("The payload must be signed: UNSIGNED-PAYLOAD and STREAMING payloads are not supported.")]
    UnsignedPayload,
    /// `x-amz-content-sha256` is not the body's hash.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    PayloadMismatch,
    /// All else is in order, the signature is not.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    SignatureMismatch,
}

fn missing(form: Form, part: &str) -> String {
    match form {
        Form::Header => format!("Authorization header requires '{part}' parameter."),
        Form::Query => {
            format!("AWS query-string parameters must include '{part}'. Re-examine the query-string parameters.")
        }
    }
}

/// A text of the caller's that a message may repeat: short, and of visible characters.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// Seconds in AWS's way: whole minutes where they are.
struct Span(u32);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(60) { write!(f, "{} min.", self.0 / 60) } else { write!(f, "{} sec.", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_aws() {
        let moment = 1_440_938_160;
        let cases = [
            (
                SigV4Error::Missing { form: Form::Header, part: "Signature" },
                "Authorization header requires 'Signature' parameter.",
            ),
            (
                SigV4Error::Missing { form: Form::Query, part: "X-Amz-Date" },
                "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
            ),
            (
                SigV4Error::Date { scope: "20150829".to_owned(), moment },
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830', from '20150830T123600Z'.",
            ),
            (
                SigV4Error::Expired { moment, now: moment + 901, allowed: 900 },
                "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)",
            ),
            (
                SigV4Error::NotYetCurrent { moment, now: moment - 91, allowed: 90 },
                "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123429Z + 90 sec.)",
            ),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn what_is_repeated_is_short_and_visible() {
        assert_eq!(shown("x-amz-ä\r\n"), "x-amz-???");
        assert_eq!(shown(&"a".repeat(100_000)).len(), 64);
    }
}
