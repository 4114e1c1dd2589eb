//! All surfaces of a host, as they come and go while it runs.

use super::surface::Surface;
use std::sync::{Arc, PoisonError, RwLock};

/// The list, which all that hold a clone of it share.
#[derive(Clone, Default)]
pub struct Surfaces(Arc<RwLock<Vec<Arc<dyn Surface>>>>);

impl Surfaces {
    /// Adds one behind the others; its name is no other's, but for a moment while it takes that one's place.
    pub fn add(&self, surface: Arc<dyn Surface>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(surface);
    }

    /// Takes one off the list. Another of its name, which is to take its place, stays.
    pub fn remove(&self, gone: &Arc<dyn Surface>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|surface| !Arc::ptr_eq(surface, gone));
    }

    /// All there are now.
    pub fn all(&self) -> Vec<Arc<dyn Surface>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
