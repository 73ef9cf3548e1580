//! The happy road, and what people see on it.

use super::*;

#[test]
fn a_patch_goes_from_identified_to_verified_on_every_endpoint_once() {
    let lab = Lab::new(2, 8);
    let completed = lab.run(async |host| {
        lab.set_up(host, policy()).await;
        lab.deployed(host).await
    });
    assert!(completed);
    assert_eq!(lab.world.levels(), vec![("2".to_owned(), 1); 10]);
    assert!(
        lab.world
            .notices()
            .iter()
            .any(|(fleet, notice)| *fleet == FLEET && notice.text.contains("completed"))
    );
}
