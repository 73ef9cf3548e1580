//! Windows versions: file and product versions of one to four numbers, and build numbers such as `19045.3803`.

/// The numbers; those that are missing count as 0.
pub(super) fn parse(text: &str) -> Result<[u64; 4], &'static str> {
    let mut numbers = [0; 4];
    let mut parts = text.split('.');
    for (number, part) in numbers.iter_mut().zip(parts.by_ref()) {
        if part.is_empty() || part.len() > 10 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("its parts are numbers of one to ten digits between dots");
        }
        *number = part.parse().map_err(|_| "its parts are numbers of one to ten digits between dots")?;
    }
    if parts.next().is_some() {
        return Err("it has more than four parts");
    }
    Ok(numbers)
}
