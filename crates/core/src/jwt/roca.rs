//! Recognises RSA keys of a library whose primes have a known form (CVE-2017-15361): modulo small primes,
//! such a modulus is always a power of 65537.

/// The primes that tell. Five is enough for suspicion; all of them leave one chance in 2^27.
const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// Whether a modulus (big-endian) has the form.
pub(super) fn is_weak(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power_of_65537(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], divisor: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % divisor)
}

fn is_power_of_65537(wanted: u32, prime: u32) -> bool {
    let mut power = 1;
    for _ in 0..prime {
        if power == wanted {
            return true;
        }
        power = power * 65_537 % prime;
    }
    false
}
