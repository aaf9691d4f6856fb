//! Channels and tasks: each function does n operations, and its caller has the clock.

use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

const ROOM: usize = 256;

#[no_mangle]
pub extern "C" fn crossbeam_alone(n: i64) {
    let (to, from) = crossbeam_channel::bounded::<u64>(ROOM);
    for i in 0..n {
        to.send(i as u64).unwrap();
        from.recv().unwrap();
    }
}

#[no_mangle]
pub extern "C" fn crossbeam_stream(n: i64) {
    let (to, from) = crossbeam_channel::bounded::<u64>(ROOM);
    let reader = std::thread::spawn(move || from.iter().fold(0u64, |sum, v| sum.wrapping_add(v)));
    for i in 0..n {
        to.send(i as u64).unwrap();
    }
    drop(to);
    reader.join().unwrap();
}

fn tokio() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap()
    })
}

#[no_mangle]
pub extern "C" fn tokio_alone(n: i64) {
    tokio().block_on(async {
        let (to, mut from) = tokio::sync::mpsc::channel::<u64>(ROOM);
        for i in 0..n {
            to.send(i as u64).await.unwrap();
            from.recv().await.unwrap();
        }
    })
}

#[no_mangle]
pub extern "C" fn tokio_stream(n: i64) {
    tokio().block_on(async {
        let (to, mut from) = tokio::sync::mpsc::channel::<u64>(ROOM);
        let reader = tokio::spawn(async move {
            let mut sum = 0u64;
            while let Some(v) = from.recv().await {
                sum = sum.wrapping_add(v);
            }
            sum
        });
        for i in 0..n {
            to.send(i as u64).await.unwrap();
        }
        drop(to);
        reader.await.unwrap();
    })
}

#[no_mangle]
pub extern "C" fn tokio_spawn(n: i64) {
    tokio().block_on(async {
        let tasks: Vec<_> = (0..n).map(|_| tokio::spawn(async {})).collect();
        for t in tasks {
            t.await.unwrap();
        }
    })
}
