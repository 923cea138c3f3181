//! A user's name and password become what a broker is told.
//!
//! *Invariant:* nothing here shows a password. A handle that is changed changes every later link of whoever has a clone of it, and no link that stands.
//! *Next:* `link.rs` (which signs in with them).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// A user's name or a password is longer than 65,535 bytes, or the name has a NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the user's name or the password cannot be said to a broker")]
pub struct SignInError;

/// A user's name and password at a broker. Clones are handles of the same.
#[derive(Clone)]
pub struct SignIn(Arc<RwLock<Arc<UserPassword>>>);

pub(crate) struct UserPassword {
    pub(crate) user: String,
    pub(crate) password: Vec<u8>,
}

impl SignIn {
    /// A user's name and password, or a token in its place.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn new(user: impl Into<String>, password: impl Into<Vec<u8>>) -> Result<Self, SignInError> {
        let made = UserPassword::new(user.into(), password.into())?;
        Ok(Self(Arc::new(RwLock::new(Arc::new(made)))))
    }

    /// Says these from the next link on.
    ///
    /// # Errors
    /// As [`new`](Self::new); then nothing changes.
    pub fn renew(&self, user: impl Into<String>, password: impl Into<Vec<u8>>) -> Result<(), SignInError> {
        let made = UserPassword::new(user.into(), password.into())?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
        Ok(())
    }

    pub(crate) fn present(&self) -> Arc<UserPassword> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl UserPassword {
    fn new(user: String, password: Vec<u8>) -> Result<Self, SignInError> {
        let most = usize::from(u16::MAX);
        if user.len() > most || password.len() > most || user.contains('\0') {
            return Err(SignInError);
        }
        Ok(Self { user, password })
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignIn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown_and_nonsense_is_refused() {
        let sign_in = SignIn::new("car", "swordfish").unwrap();
        assert_eq!(format!("{sign_in:?}"), "SignIn");
        assert_eq!(SignIn::new("a\0", "").unwrap_err(), SignInError);
        let long = "a".repeat(65_536);
        assert_eq!(sign_in.renew("car", long).unwrap_err(), SignInError);
        assert_eq!(sign_in.present().password, b"swordfish");
        sign_in.clone().renew("car", "trout").unwrap();
        assert_eq!(sign_in.present().password, b"trout");
    }
}
