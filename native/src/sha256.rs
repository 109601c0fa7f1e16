//! SHA-256 (FIPS 180-4, 6.2) of one message, or of two at a time, by the SHA extensions of x86-64.
//!
//! Each round waits for the one before it, so one message alone leaves the unit that does them idle
//! for half of the time: the rounds of a second one fill it. Whole blocks only: whoever calls pads.
//!
//! Without the standard library and libc, so that one file runs wherever its processor is.
#![no_std]

/// Nothing here panics; the linker wants to know what would happen.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// How many messages are hashed at a time; 0 if this processor cannot do it.
#[no_mangle]
pub extern "C" fn model_verify_sha256_lanes() -> u32 {
    if kernel::fits() {
        2
    } else {
        0
    }
}

/// Feeds `blocks` blocks of 64 bytes to one state of eight words.
///
/// # Safety
///
/// `model_verify_sha256_lanes` is not 0; `state` is eight words that nobody else touches, and
/// `data` is `64 * blocks` bytes.
#[no_mangle]
pub unsafe extern "C" fn model_verify_sha256_one(state: *mut u32, data: *const u8, blocks: usize) {
    kernel::feed([state], [data], blocks)
}

/// Feeds `blocks` blocks to each of two states.
///
/// # Safety
///
/// As of `model_verify_sha256_one`, for each; the states are two.
#[no_mangle]
pub unsafe extern "C" fn model_verify_sha256_two(
    first: *mut u32,
    second: *mut u32,
    data_of_first: *const u8,
    data_of_second: *const u8,
    blocks: usize,
) {
    kernel::feed([first, second], [data_of_first, data_of_second], blocks)
}

#[cfg(not(target_arch = "x86_64"))]
mod kernel {
    pub fn fits() -> bool {
        false
    }

    pub unsafe fn feed<const N: usize>(_: [*mut u32; N], _: [*const u8; N], _: usize) {
        loop {} // nobody who asked for the lanes calls it
    }
}

#[cfg(target_arch = "x86_64")]
mod kernel {
    use core::arch::x86_64::*;

    #[repr(align(16))]
    struct Constants([u32; 64]);

    static K: Constants = Constants([
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
    ]);

    /// SHA in leaf 7, SSSE3 and SSE4.1 in leaf 1 (Intel SDM, CPUID).
    pub fn fits() -> bool {
        #[allow(unused_unsafe)] // safe in newer compilers
        let (most, one, seven) = unsafe { (__cpuid(0).eax, __cpuid(1), __cpuid_count(7, 0)) };
        most >= 7 && seven.ebx & 1 << 29 != 0 && one.ecx & 1 << 9 != 0 && one.ecx & 1 << 19 != 0
    }

    /// The instructions keep the words a, b, e, f in one register and c, d, g, h in another.
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    pub unsafe fn feed<const N: usize>(states: [*mut u32; N], data: [*const u8; N], blocks: usize) {
        let big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
        let mut abef = [_mm_setzero_si128(); N];
        let mut cdgh = [_mm_setzero_si128(); N];
        for lane in 0..N {
            let cdab = _mm_shuffle_epi32(_mm_loadu_si128(states[lane].cast()), 0xb1);
            let efgh = _mm_shuffle_epi32(_mm_loadu_si128(states[lane].add(4).cast()), 0x1b);
            abef[lane] = _mm_alignr_epi8(cdab, efgh, 8);
            cdgh[lane] = _mm_blend_epi16(efgh, cdab, 0xf0);
        }
        for block in 0..blocks {
            let before = (abef, cdgh);
            let mut words = [[_mm_setzero_si128(); 4]; N];
            for lane in 0..N {
                for quarter in 0..4 {
                    let from = data[lane].add(64 * block + 16 * quarter);
                    let read = _mm_loadu_si128(from.cast());
                    words[lane][quarter] = _mm_shuffle_epi8(read, big_endian);
                }
            }
            // Written out: the compiler leaves it a loop, which takes half as long again.
            macro_rules! steps {
                ($($step:literal)*) => { $(
                    let constants = _mm_load_si128(K.0.as_ptr().add(4 * $step).cast());
                    for lane in 0..N {
                        let now = words[lane][$step % 4];
                        let two = _mm_add_epi32(now, constants);
                        cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], two);
                        let two = _mm_shuffle_epi32(two, 0x0e);
                        abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], two);
                        if $step < 12 {
                            let next = words[lane][($step + 1) % 4];
                            let after = words[lane][($step + 2) % 4];
                            let last = words[lane][($step + 3) % 4];
                            let sum = _mm_add_epi32(
                                _mm_sha256msg1_epu32(now, next),
                                _mm_alignr_epi8(last, after, 4),
                            );
                            words[lane][$step % 4] = _mm_sha256msg2_epu32(sum, last);
                        }
                    }
                )* };
            }
            steps!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            for lane in 0..N {
                abef[lane] = _mm_add_epi32(abef[lane], before.0[lane]);
                cdgh[lane] = _mm_add_epi32(cdgh[lane], before.1[lane]);
            }
        }
        for lane in 0..N {
            let feba = _mm_shuffle_epi32(abef[lane], 0x1b);
            let dchg = _mm_shuffle_epi32(cdgh[lane], 0xb1);
            _mm_storeu_si128(states[lane].cast(), _mm_blend_epi16(feba, dchg, 0xf0));
            _mm_storeu_si128(states[lane].add(4).cast(), _mm_alignr_epi8(dchg, feba, 8));
        }
    }
}
