//! A plot with logarithmic axes, as SVG.

use std::fmt::Write as _;

/// One line of a plot.
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    /// Size, and nanoseconds.
    pub(crate) points: Vec<(f64, f64)>,
}

const COLOURS: [&str; 10] = [
    "#1f77b4", "#ff7f0e", "#2ca02c", "#98df8a", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf",
    "#7f7f7f",
];
const LEFT: f64 = 70.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 380.0;

/// Draws curves between one nanosecond and what they reach, over sizes from a thousand to a million.
pub(crate) fn draw(curves: &[Curve]) -> String {
    let most = curves.iter().flat_map(|curve| &curve.points).map(|(_, nanos)| *nanos).fold(10.0, f64::max);
    let decades = most.log10().ceil();
    let x = |n: f64| LEFT + (n.log10() - 3.0) / 3.0 * (RIGHT - LEFT);
    let y = |nanos: f64| BOTTOM - nanos.max(1.0).log10() / decades * (BOTTOM - TOP);
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 430\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"900\" height=\"430\" fill=\"white\"/>\n",
    );
    let mut add = |text: String| {
        svg.push_str(&text);
        svg.push('\n');
    };
    for decade in 0..=decades as i32 {
        let (at, label) = (y(10_f64.powi(decade)), 10_u64.pow(decade.unsigned_abs()));
        add(format!("<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>"));
        add(format!(
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label} ns</text>",
            LEFT - 6.0,
            at + 4.0
        ));
    }
    for power in 3..=6 {
        let at = x(10_f64.powi(power));
        let label = 10_u64.pow(power.unsigned_abs());
        add(format!("<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\" stroke=\"#ddd\"/>"));
        add(format!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", BOTTOM + 18.0));
    }
    add(format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">endpoints</text>",
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 38.0
    ));
    for (i, (curve, colour)) in curves.iter().zip(COLOURS).enumerate() {
        let mut line = String::new();
        for (n, nanos) in &curve.points {
            let _ = write!(line, "{:.1},{:.1} ", x(*n), y(*nanos));
        }
        add(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.trim_end()
        ));
        let at = TOP + 14.0 + 24.0 * i as f64;
        add(format!(
            "<line x1=\"580\" x2=\"604\" y1=\"{at}\" y2=\"{at}\" stroke=\"{colour}\" stroke-width=\"3\"/>"
        ));
        add(format!("<text x=\"610\" y=\"{}\">{}</text>", at + 4.0, curve.name));
    }
    svg.push_str("</svg>\n");
    svg
}
