//! OCI registries: the only folder that names oci_client.
//!
//! [`Registries`] resolves a reference to an [`Artifact`], pulls its component and pushes one. What is pulled is what
//! its digest says, bounded in size, and every wait has an end. A leaf: it knows nothing of plugins.

mod artifact;
mod credentials;
mod error;
mod identity;
mod image;
mod layout;
mod proxies;
mod push;
mod registries;
mod transport;

pub use artifact::Artifact;
pub use error::Error;
pub use layout::Description;
pub use registries::Registries;
pub use transport::Transport;
