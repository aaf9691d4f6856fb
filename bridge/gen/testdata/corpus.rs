#[path = "sample_bridge.rs"]
mod sample_bridge;
use isthmus_bridge::wire;
use sample_bridge::{All, Msg};

fn again<T: wire::Wire>(b: &[u8]) -> Option<Vec<u8>> {
    wire::decode::<T>(b).ok().map(|v| wire::encode(&v).expect("what was decoded cannot be written"))
}

fn main() {
    let data = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let mut at = 8;
    let block = |at: &mut usize| {
        let n = u64::from_le_bytes(data[*at..*at + 8].try_into().unwrap()) as usize;
        *at += 8 + n;
        data[*at - n..*at].to_vec()
    };
    let cases = u64::from_le_bytes(data[..8].try_into().unwrap());
    let mut good = 0;
    for i in 0..cases {
        let (is_msg, accepted) = (data[at] == 1, data[at + 1] == 1);
        at += 2;
        let message = block(&mut at);
        let want = if accepted { Some(block(&mut at)) } else { None };
        let got = if is_msg { again::<Msg>(&message) } else { again::<All>(&message) };
        assert!(got == want, "case {i}: {:?} for {:?}", got.is_some(), want.is_some());
        good += accepted as u32;
    }
    println!("{cases} cases, {good} accepted");
}
