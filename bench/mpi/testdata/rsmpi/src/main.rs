// The rsmpi side: safe Rust calls, in blocks that alternate with C's own.
use mpi::collective::SystemOperation;
use mpi::traits::*;
use mpi::Threading;
use std::ffi::{c_char, c_int, c_long, c_longlong, c_void, CString};
use std::time::Instant;

extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(lib: *mut c_void, name: *const c_char) -> *mut c_void;
}

type Native = extern "C" fn(c_long, c_long) -> c_longlong;

fn native(lib: *mut c_void, name: &str) -> Native {
    let name = CString::new(name).unwrap();
    unsafe { std::mem::transmute(dlsym(lib, name.as_ptr())) }
}

fn main() {
    let (universe, _) = mpi::initialize_with_threading(Threading::Multiple).unwrap();
    let world = universe.world();
    let rank = world.rank();
    let peer = world.process_at_rank(1 - rank);
    let path = CString::new(std::env::var("ISTHMUS_BENCH_MPI_PEER").unwrap()).unwrap();
    let lib = unsafe { dlopen(path.as_ptr(), 2) };
    let pingpong = |n: usize, iters: usize| {
        let (mut a, b) = (vec![0u8; n], vec![1u8; n]);
        world.barrier();
        let start = Instant::now();
        for _ in 0..iters {
            if rank == 0 {
                peer.send_with_tag(&b[..], 7);
            }
            peer.receive_into_with_tag(&mut a[..], 7);
            if rank == 1 {
                peer.send_with_tag(&b[..], 7);
            }
        }
        start.elapsed().as_nanos() as f64 / 2.0
    };
    let exchange = |n: usize, iters: usize| {
        let (mut a, b) = (vec![0u8; n], vec![1u8; n]);
        world.barrier();
        let start = Instant::now();
        for _ in 0..iters {
            mpi::request::scope(|scope| {
                let r = peer.immediate_receive_into_with_tag(scope, &mut a[..], 8);
                let s = peer.immediate_send_with_tag(scope, &b[..], 8);
                r.wait_without_status();
                s.wait_without_status();
            });
        }
        start.elapsed().as_nanos() as f64
    };
    let allreduce = |n: usize, iters: usize| {
        let (mut a, b) = (vec![0f64; n / 8], vec![1f64; n / 8]);
        world.barrier();
        let start = Instant::now();
        for _ in 0..iters {
            world.all_reduce_into(&b[..], &mut a[..], SystemOperation::sum());
        }
        start.elapsed().as_nanos() as f64
    };
    let cases: [(&str, &str, usize, &dyn Fn(usize, usize) -> f64, usize, usize); 5] = [
        ("pp8", "pingpong", 8, &pingpong, 250, 200),
        ("exchange8", "exchange", 8, &exchange, 250, 200),
        ("allreduce8", "allreduce", 8, &allreduce, 250, 200),
        ("pp1M", "pingpong", 1 << 20, &pingpong, 2, 60),
        ("allreduce1M", "allreduce", 1 << 20, &allreduce, 2, 60),
    ];
    for (name, symbol, n, other, iters, blocks) in cases {
        let c = native(lib, symbol);
        let (mut base, mut ratios) = (vec![], vec![]);
        for i in 0..blocks + 2 {
            let x = c(n as c_long, iters as c_long) as f64;
            let y = other(n, iters);
            if i >= 2 {
                base.push(x / iters as f64);
                ratios.push(y / x);
            }
        }
        base.sort_by(|a, b| a.partial_cmp(b).unwrap());
        ratios.sort_by(|a, b| a.partial_cmp(b).unwrap());
        if rank == 0 {
            println!("result {} {:.0} {:.3}", name, base[base.len() / 2], ratios[ratios.len() / 2]);
        }
    }
}
