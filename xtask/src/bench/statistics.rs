//! Percentiles, and the median of a few repetitions.

/// The median, the least and the greatest of some repetitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// None where there are no values.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let (upper, lower) = (values.get(values.len() / 2)?, values.get((values.len() - 1) / 2)?);
        Some(Self { median: f64::midpoint(*upper, *lower), least, most })
    }

    /// The distance from the least to the greatest, in percent of the median.
    pub(crate) fn percent(&self) -> Option<f64> {
        (self.median > 0.0).then(|| (self.most - self.least) / self.median * 100.0)
    }
}

/// The smallest value that at least `percent` percent of the values do not exceed.
pub(crate) fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        let odd = Spread::of(vec![9.0, 1.0, 2.0]).unwrap();
        let even = Spread::of(vec![4.0, 1.0, 2.0, 9.0]).unwrap();

        assert_eq!(odd, Spread { median: 2.0, least: 1.0, most: 9.0 });
        assert_eq!(even, Spread { median: 3.0, least: 1.0, most: 9.0 });
        assert_eq!(odd.percent(), Some(400.0));
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();

        assert_eq!(percentile(&hundred, 50), Some(50.0));
        assert_eq!(percentile(&hundred, 99), Some(99.0));
        assert_eq!(percentile(&[3.0, 1.0, 2.0], 50), Some(2.0));
        assert_eq!(percentile(&[3.0, 1.0, 2.0], 99), Some(3.0));
        assert_eq!(percentile(&[7.0], 0), Some(7.0));
        assert_eq!(percentile(&[], 50), None);
    }
}
