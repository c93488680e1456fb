//! Credentials of one workspace are neither seen nor ended from another.

use windlass_store::{EndCredential, Page};

use crate::isolation::TwoWorkspaces;
use crate::token;
use crate::world::World;

pub(super) async fn are_made_listed_and_ended_in_their_workspace(both: &TwoWorkspaces) {
    let make = async |world: &World| {
        let params = token(world.workspace, &format!("secret of {}", world.workspace));
        world.store.create_credential(params).await
    };
    both.separate_outside(make).await;
    let inside = &both.inside;
    let listed = inside.store.credentials(Some(inside.workspace), Page::first(2)).await.unwrap();
    let [made] = listed.items.try_into().unwrap();
    let end = async |world: &World| {
        let (workspace, credential) = (Some(world.workspace), made.id);
        let actor = "ada".to_owned();
        world.store.end_credential(EndCredential { workspace, credential, actor }).await
    };
    both.refused_outside(end).await;
    let list = async |World { store, workspace, .. }: &World| {
        let page = store.credentials(Some(*workspace), Page::first(10)).await?;
        Ok(page.items.into_iter().filter(|it| it.id == made.id).collect::<Vec<_>>())
    };
    both.empty_outside(list).await;
}
