//! Rules from a document that people wrote: every finding at once, with where.

use super::{OnUnknown, RULES_MAX, RiskRule, RiskRules, When};
use crate::error::Finding;
use crate::risk::Priority;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// One object of the document, from which its fields are taken; what is left over in the end is unknown.
struct Fields<'a> {
    path: String,
    rest: Map<String, Value>,
    known: Vec<&'static str>,
    found: &'a mut Vec<Finding>,
}

impl<'a> Fields<'a> {
    fn new(path: &str, value: &Value, found: &'a mut Vec<Finding>) -> Option<Self> {
        match value {
            Value::Object(fields) => {
                Some(Self { path: path.into(), rest: fields.clone(), known: Vec::new(), found })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let path = if path.is_empty() { "(document)" } else { path };
                found.push(Finding::new(path, "expected an object with fields"));
                None
            }
        }
    }

    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) }
    }

    fn raw(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.rest.remove(name)
    }

    /// A field that may be left out.
    fn may<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        // Scores and probabilities are written as numbers, and read by their digits, not by their value in the computer.
        let mut value = self.raw(name)?;
        if let Value::Number(number) = &value {
            value = Value::String(number.to_string());
        }
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(error) => {
                let path = self.at(name);
                self.found.push(Finding::new(path, error.to_string()));
                None
            }
        }
    }

    /// A field that must be there.
    fn must<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        if !self.rest.contains_key(name) {
            self.known.push(name);
            let path = self.at(name);
            self.found.push(Finding::new(path, "it is missing"));
            return None;
        }
        self.may(name)
    }

    fn end(self) {
        for name in self.rest.keys() {
            let message = format!("there is no such field; there are {}", self.known.join(", "));
            let name: String = name.chars().take(60).collect();
            let path = if self.path.is_empty() { name } else { format!("{}.{name}", self.path) };
            self.found.push(Finding::new(path, message));
        }
    }
}

fn when(path: &str, value: &Value, found: &mut Vec<Finding>) -> Option<When> {
    let mut fields = Fields::new(path, value, found)?;
    let when = When {
        known_exploited: fields.may("known_exploited"),
        ransomware: fields.may("ransomware"),
        exploitation: fields.may("exploitation").unwrap_or_default(),
        automatable: fields.may("automatable"),
        cvss_at_least: fields.may("cvss_at_least"),
        epss_at_least: fields.may("epss_at_least"),
        severity: fields.may("severity").unwrap_or_default(),
        category: fields.may("category").unwrap_or_default(),
        criticality: fields.may("criticality").unwrap_or_default(),
        exposure: fields.may("exposure").unwrap_or_default(),
        environment: fields.may("environment"),
        end_of_life: fields.may("end_of_life"),
        fix_available: fields.may("fix_available"),
    };
    fields.end();
    Some(when)
}

fn rule(path: &str, value: &Value, found: &mut Vec<Finding>) -> Option<RiskRule> {
    let mut fields = Fields::new(path, value, found)?;
    let name = fields.must("name");
    let asked = fields.raw("when");
    let (priority, reason) = (fields.must("priority"), fields.must("reason"));
    let on_unknown: OnUnknown = fields.may("on_unknown").unwrap_or_default();
    fields.end();
    let when =
        asked.map_or_else(|| Some(When::default()), |asked| when(&format!("{path}.when"), &asked, found));
    Some(RiskRule { name: name?, when: when?, priority: priority?, reason: reason?, on_unknown })
}

impl RiskRules {
    /// Reads rules that people wrote, in the form in which they are serialized; scores may be numbers as well.
    ///
    /// ```
    /// use patchflow_core::risk::RiskRules;
    /// let written = serde_json::json!({
    ///     "rules": [{ "name": "kev", "when": { "known_exploited": true }, "priority": "critical", "reason": "CISA says so" },
    ///               { "name": "bad", "when": { "cvss_at_least": 11, "cvs": 9 }, "priority": "urgent" }],
    ///     "otherwise": "high", "unknown_at_most": "high",
    /// });
    /// let paths: Vec<_> = RiskRules::read(&written).unwrap_err().into_iter().map(|finding| finding.path).collect();
    /// assert_eq!(paths, ["rules[1].priority", "rules[1].reason", "rules[1].when.cvss_at_least", "rules[1].when.cvs"]);
    /// ```
    ///
    /// # Errors
    /// Every finding: unknown and missing fields, values that are none, and what [`RiskRules::check`] finds.
    pub fn read(document: &Value) -> Result<Self, Vec<Finding>> {
        let mut found = Vec::new();
        let read = Self::read_into(document, &mut found);
        match read {
            Some(rules) if found.is_empty() => {
                let found = rules.check();
                if found.is_empty() { Ok(rules) } else { Err(found) }
            }
            Some(_) | None => Err(found),
        }
    }

    fn read_into(document: &Value, found: &mut Vec<Finding>) -> Option<Self> {
        let mut fields = Fields::new("", document, found)?;
        let listed = fields.raw("rules");
        let otherwise: Option<Priority> = fields.must("otherwise");
        let unknown_at_most: Option<Priority> = fields.must("unknown_at_most");
        fields.end();
        let Some(Value::Array(listed)) = listed else {
            found.push(Finding::new("rules", "expected a list of rules"));
            return None;
        };
        let listed = listed.iter().take(RULES_MAX + 1).enumerate();
        let rules: Vec<Option<RiskRule>> =
            listed.map(|(at, value)| rule(&format!("rules[{at}]"), value, found)).collect();
        let rules = rules.into_iter().collect::<Option<Vec<_>>>();
        Some(Self { rules: rules?, otherwise: otherwise?, unknown_at_most: unknown_at_most? })
    }
}
