use isthmus_bridge::{block_on, Config, Error};
use std::time::Duration;
use words_bridge::{method, open, Pause, Text, Total};

fn main() -> Result<(), Error> {
    let library = std::env::args().nth(1).expect("usage: host LIBRARY");
    let b = open(library, Config::default())?;
    let text = |s: &str| Text { text: s.into() };

    let mut totals = b.subscribe(method::TOTAL, 16)?;
    b.cast(method::READ, &text("the isthmus is the narrow way between the seas"))?;
    block_on(async {
        println!("Rust: so far {} words", totals.next().await?.count);
        for w in b.call_async(method::TOP, &Total::default()).await?.words {
            println!("Rust: {:?} x{}", w.word, w.count);
        }
        Ok::<(), Error>(())
    })?;
    let late = b.call_timeout(method::PAUSE, &Pause { millis: 10_000 }, Duration::from_millis(20));
    println!("Rust: a pause of 10 s with a deadline of 20 ms: {:?}", late.map(drop));
    println!("Rust: {}", b.call(method::FAIL, &text("this")).map(drop).unwrap_err());
    println!("Rust: inline: {}", b.call(method::COUNT, &text("four words are here"))?.count);
    // Threads of a scope end with it: these would wait for ten seconds, and again.
    b.threads(|threads, scope| {
        for _ in 0..4 {
            let scope = scope.clone();
            threads.spawn(move || while scope.call(method::PAUSE, &Pause { millis: 10_000 }).is_ok() {});
        }
    })?;
    println!("Rust: {:?}", b.close(Duration::ZERO)?);
    Ok(())
}
