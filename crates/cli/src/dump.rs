//! `coachwork dump`: a database, message by message.
//!
//! *Next:* `number.rs` (JSON), `output.rs`.

use crate::output::Output;
use crate::{Failure, Format, database, number};
use clap::Args;
use coachwork_dbc::{ByteOrder, Database, Message, Signal, ValueType};
use std::fmt::Write;
use std::path::PathBuf;

/// Show what is in a database.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  coachwork dump car.dbc -M EngineData\n  coachwork dump car.dbc --format jsonl | jq -r .name"
)]
pub(crate) struct Dump {
    /// The database, a DBC file.
    #[arg(value_name = "DBC")]
    database: PathBuf,
    /// How messages are printed.
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,
    /// Only this message.
    #[arg(short = 'M', long, value_name = "NAME")]
    message: Option<String>,
    /// Text: print comments.
    #[arg(short = 'w', long)]
    with_comments: bool,
    /// Refuse a database that has to be repaired.
    #[arg(long)]
    strict: bool,
}

impl Dump {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let database = database::load(&self.database, self.strict)?;
        let output = Output::new();
        let mut printed = 0;
        for message in database.messages() {
            if self.message.as_ref().is_some_and(|name| name != message.name()) {
                continue;
            }
            printed += 1;
            match self.format {
                Format::Jsonl => output.append(|out| json(out, message))?,
                Format::Text => output.append(|out| out.extend_from_slice(self.text(message).as_bytes()))?,
            }
        }
        output.flush()?;
        match &self.message {
            Some(name) if printed == 0 => {
                Err(Failure::Message(format!("{}: there is no message {name:?}", self.database.display())))
            }
            _ => {
                self.summary(&database, &output)?;
                output.flush()
            }
        }
    }

    fn summary(&self, database: &Database, output: &Output) -> Result<(), Failure> {
        if self.format == Format::Jsonl || self.message.is_some() {
            return Ok(());
        }
        let signals: usize = database.messages().iter().map(|message| message.signals().len()).sum();
        output.append(|out| {
            let summary = format!("{} messages, {signals} signals\n", database.messages().len());
            out.extend_from_slice(summary.as_bytes());
        })
    }

    fn text(&self, message: &Message) -> String {
        let mut text = String::new();
        let width = if message.id().is_extended() { 8 } else { 3 };
        let _ =
            write!(text, "{:0width$X}  {}  {} bytes", message.id().raw(), message.name(), message.length());
        if let Some(cycle) = message.cycle_time() {
            let _ = write!(text, "  every {} ms", cycle.as_millis());
        }
        if !message.senders().is_empty() {
            let _ = write!(text, "  from {}", message.senders().join(", "));
        }
        text.push('\n');
        self.comment(&mut text, message.comment());
        let names = message.signals().iter().map(|signal| signal.name().chars().count()).max().unwrap_or(0);
        for signal in message.signals() {
            let _ = write!(text, "    {:names$}  {}", signal.name(), layout(signal));
            text.push('\n');
            self.comment(&mut text, signal.comment());
            for (raw, label) in signal.choices().iter() {
                let _ = writeln!(text, "    {:names$}      {raw} {label}", "");
            }
        }
        text.push('\n');
        text
    }

    fn comment(&self, text: &mut String, comment: Option<&str>) {
        for line in comment.filter(|_| self.with_comments).into_iter().flat_map(str::lines) {
            let _ = writeln!(text, "        {line}");
        }
    }
}

/// `bit 7, 16 bits, big endian, unsigned, x 0.25 + 0, 0 to 250 km/h, while Mux is 3`
fn layout(signal: &Signal) -> String {
    let order = if signal.byte_order() == ByteOrder::BigEndian { "big endian" } else { "little endian" };
    let value_type = match signal.value_type() {
        ValueType::Unsigned => "unsigned",
        ValueType::Signed => "signed",
        ValueType::F32 | ValueType::F64 => "float",
    };
    let mut text = format!(
        "bit {}, {} bits, {order}, {value_type}, x {} + {}",
        signal.start(),
        signal.length(),
        signal.factor(),
        signal.offset()
    );
    if let Some((min, max)) = signal.range() {
        let _ = write!(text, ", {min} to {max}");
    }
    if !signal.unit().is_empty() {
        let _ = write!(text, " {}", signal.unit());
    }
    if signal.is_multiplexer() {
        text.push_str(", multiplexer");
    }
    if let Some(multiplexed) = signal.multiplexed() {
        let values: Vec<String> = multiplexed
            .values()
            .iter()
            .map(|(low, high)| if low == high { low.to_string() } else { format!("{low}-{high}") })
            .collect();
        let _ = write!(text, ", while {} is {}", multiplexed.multiplexer(), values.join(", "));
    }
    text
}

fn json(out: &mut Vec<u8>, message: &Message) {
    let put = |out: &mut Vec<u8>, text: &str| out.extend_from_slice(text.as_bytes());
    put(
        out,
        &format!("{{\"id\":{},\"extended\":{},\"name\":", message.id().raw(), message.id().is_extended()),
    );
    number::text(out, message.name());
    put(out, &format!(",\"length\":{},\"senders\":", message.length()));
    list(out, message.senders(), |out, sender| number::text(out, sender));
    if let Some(cycle) = message.cycle_time() {
        put(out, ",\"cycle_ms\":");
        number::float(out, cycle.as_secs_f64() * 1000.0);
    }
    comment(out, message.comment());
    put(out, ",\"signals\":");
    list(out, message.signals(), signal_json);
    put(out, "}\n");
}

fn signal_json(out: &mut Vec<u8>, signal: &Signal) {
    let put = |out: &mut Vec<u8>, text: &str| out.extend_from_slice(text.as_bytes());
    put(out, "{\"name\":");
    number::text(out, signal.name());
    let order = if signal.byte_order() == ByteOrder::BigEndian { "big_endian" } else { "little_endian" };
    let (signed, float) = (signal.is_marked_signed(), signal.value_type().is_float());
    put(
        out,
        &format!(
            ",\"start\":{},\"length\":{},\"byte_order\":\"{order}\",\"signed\":{signed},\"float\":{float},\"factor\":",
            signal.start(),
            signal.length()
        ),
    );
    number::float(out, signal.factor());
    put(out, ",\"offset\":");
    number::float(out, signal.offset());
    let bound = |out: &mut Vec<u8>, bound: Option<f64>| match bound {
        Some(bound) => number::float(out, bound),
        None => put(out, "null"),
    };
    put(out, ",\"min\":");
    bound(out, signal.min());
    put(out, ",\"max\":");
    bound(out, signal.max());
    put(out, ",\"unit\":");
    number::text(out, signal.unit());
    if !signal.choices().is_empty() {
        put(out, ",\"choices\":{");
        // As in the file, also where it names one value twice.
        for (count, (raw, label)) in signal.choices().iter().enumerate() {
            put(out, if count == 0 { "" } else { "," });
            put(out, &format!("\"{raw}\":"));
            number::text(out, label);
        }
        put(out, "}");
    }
    if signal.is_multiplexer() {
        put(out, ",\"is_multiplexer\":true");
    }
    if let Some(multiplexed) = signal.multiplexed() {
        put(out, ",\"multiplexer\":{\"name\":");
        number::text(out, multiplexed.multiplexer());
        put(out, ",\"values\":");
        list(out, multiplexed.values(), |out, (low, high)| put(out, &format!("[{low},{high}]")));
        put(out, "}");
    }
    comment(out, signal.comment());
    put(out, "}");
}

fn comment(out: &mut Vec<u8>, comment: Option<&str>) {
    if let Some(comment) = comment {
        out.extend_from_slice(b",\"comment\":");
        number::text(out, comment);
    }
}

fn list<T>(out: &mut Vec<u8>, items: &[T], mut each: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (count, item) in items.iter().enumerate() {
        if count > 0 {
            out.push(b',');
        }
        each(out, item);
    }
    out.push(b']');
}
