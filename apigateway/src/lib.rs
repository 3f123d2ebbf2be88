//! apigateway.
