//! How the store's traits are declared: each method is written once, and a layer around a store follows from that.

/// Declares one of the store's traits, and implements it for [`LayeredStore`](crate::LayeredStore).
///
/// `write async fn` declares a method that may change something, `read async fn` one that changes nothing. They reach a
/// [`Layer`](crate::Layer) by its methods of these names.
macro_rules! role {
    (
        $(#[$about:meta])*
        pub trait $role:ident {
            $(
                $(#[$docs:meta])*
                $kind:ident async fn $method:ident(&$self:ident $(, $arg:ident: $type:ty)* $(,)?) -> Result<$output:ty>;
            )+
        }
    ) => {
        $(#[$about])*
        #[async_trait::async_trait]
        pub trait $role: Send + Sync + std::fmt::Debug {
            $(
                $(#[$docs])*
                async fn $method(&$self $(, $arg: $type)*) -> crate::Result<$output>;
            )+
        }

        #[async_trait::async_trait]
        impl<L: crate::Layer> $role for crate::LayeredStore<L> {
            $(
                async fn $method(&$self $(, $arg: $type)*) -> crate::Result<$output> {
                    let call = $self.inner.$method($($arg),*);
                    $self.layer.$kind(stringify!($method), call).await
                }
            )+
        }

        /// The names of the methods, as a layer is told them.
        pub(super) const METHODS: &[&str] = &[$(stringify!($method)),+];
    };
}

pub(super) use role;
