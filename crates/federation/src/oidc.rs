//! Tokens of OpenID Connect: key sets, discovery documents, and the tokens themselves.
