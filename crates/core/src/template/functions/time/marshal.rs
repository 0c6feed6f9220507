//! Moments as `time.Time` hands them to other encodings.

use super::moment::Moment;
use super::print;
use super::zone::Zone;

/// RFC 3339, which has no years of more than four digits and no offsets of a day.
pub(super) fn text(moment: &Moment) -> Result<Vec<u8>, String> {
    if !(0..=9999).contains(&moment.civil().year) {
        return Err("the year has no four digits".to_owned());
    }
    if moment.offset().0.abs() >= 24 * 3600 {
        return Err("the offset is a day or more".to_owned());
    }
    Ok(print::print(moment, b"2006-01-02T15:04:05.999999999Z07:00"))
}

/// Go's binary form: a version, the seconds since the year one, the nanoseconds, the minutes of the offset, and in
/// the second version the seconds that these leave over. All are written with the highest byte first.
pub(super) fn binary(moment: &Moment) -> Result<Vec<u8>, String> {
    /// What stands for UTC.
    const UTC: i16 = -1;
    let (minutes, rest) = match moment.zone {
        Zone::Utc => (UTC, 0),
        _ => {
            let offset = moment.offset().0;
            let fits = i16::try_from(offset / 60).ok().filter(|minutes| *minutes != UTC);
            (fits.ok_or_else(|| "the offset has no binary form".to_owned())?, offset % 60)
        }
    };
    let version = if rest == 0 { 1 } else { 2 };
    let mut made = vec![version];
    made.extend(moment.seconds.wrapping_sub(Moment::ZERO.seconds).to_be_bytes());
    made.extend(moment.nanos.to_be_bytes());
    made.extend(minutes.to_be_bytes());
    if rest != 0 {
        // Less than a minute, so the lowest byte is all of it.
        made.push(rest.to_be_bytes()[7]);
    }
    Ok(made)
}
