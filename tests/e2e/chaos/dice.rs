//! Seeded random numbers (splitmix64), so that a run can be asked for again by its seed.

/// How often a region is drawn for one draw of another process: regions do the work.
const REGION_WEIGHT: usize = 3;

pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another sequence from the same seed, for the `n`th user of it.
    pub fn of(seed: u64, n: usize) -> Self {
        let mut dice = Self(seed ^ (n as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `end`, without it.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// 0 to 2, 1 on average.
    pub fn share(&mut self) -> f64 {
        self.below(2001) as f64 / 1000.0
    }

    pub fn victim(&mut self, names: &[String]) -> String {
        let weight = |name: &String| if name.starts_with("region") { REGION_WEIGHT } else { 1 };
        let tickets: Vec<_> = names.iter().flat_map(|name| vec![name; weight(name)]).collect();
        tickets[self.below(tickets.len())].clone()
    }
}
