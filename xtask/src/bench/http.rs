//! As much HTTP/1.1 as measuring needs: one connection, kept open, plain TCP, JSON bodies. The time of a call ends
//! with the last byte of its answer.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

pub struct Http {
    address: String,
    pub token: Option<String>,
    stream: Option<BufReader<TcpStream>>,
}

pub struct Answer {
    pub status: u16,
    pub took: Duration,
    body: Vec<u8>,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Answer {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn expect(self, status: u16, what: &str) -> Result<Self> {
        ensure!(
            self.status == status,
            "{what} answered {} instead of {status}: {}",
            self.status,
            self.text()
        );
        Ok(self)
    }
}

impl Http {
    /// `origin` is `http://host:port`.
    pub fn new(origin: &str) -> Result<Self> {
        let address = origin
            .strip_prefix("http://")
            .with_context(|| format!("{origin} is not a plain http origin"))?;
        Ok(Self {
            address: address.trim_end_matches('/').to_owned(),
            token: None,
            stream: None,
        })
    }

    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.call("GET", path, None)
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Result<Answer> {
        self.call("POST", path, Some(body))
    }

    fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let request = self.request(method, path, body);
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.address)?,
        };
        let began = Instant::now();
        stream
            .get_mut()
            .write_all(request.as_bytes())
            .with_context(|| format!("{method} {path} could not be sent"))?;
        let mut answer =
            read(&mut stream).with_context(|| format!("the answer to {method} {path} could not be read"))?;
        answer.took = began.elapsed();
        if answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> String {
        let body = body.map(Value::to_string).unwrap_or_default();
        let token = self
            .token
            .as_ref()
            .map_or_else(String::new, |token| format!("x-auth-token: {token}\r\n"));
        let (host, length) = (&self.address, body.len());
        let kind = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{token}{kind}content-length: {length}\r\n\r\n{body}")
    }
}

fn connect(address: &str) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address).with_context(|| format!("{address} does not answer"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(BufReader::new(stream))
}

fn read(stream: &mut impl BufRead) -> Result<Answer> {
    let first = line(stream)?;
    let status = first
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .with_context(|| format!("not HTTP: {first}"))?;
    let mut headers = Vec::new();
    loop {
        let line = line(stream)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer {
        status,
        took: Duration::ZERO,
        body: Vec::new(),
        headers,
    };
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = chunks(stream)?;
    } else {
        let length = answer
            .header("content-length")
            .unwrap_or("0")
            .parse()
            .context("an odd content-length")?;
        answer.body = vec![0; length];
        stream.read_exact(&mut answer.body)?;
    }
    Ok(answer)
}

fn chunks(stream: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream)?;
        let size = u64::from_str_radix(size.split(';').next().unwrap_or_default(), 16).context("an odd chunk")?;
        let read = stream.by_ref().take(size).read_to_end(&mut body)?;
        ensure!(read as u64 == size, "the answer ended in the middle");
        line(stream)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    ensure!(stream.read_line(&mut line)? > 0, "the connection was closed");
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_by_length_and_in_chunks() {
        let mut text = &b"HTTP/1.1 202 Accepted\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\
            Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\n\r\n"[..];
        let first = read(&mut text).unwrap();
        assert_eq!(
            (first.status, first.header("x-a"), first.json().unwrap()),
            (202, Some("b"), serde_json::json!({}))
        );
        assert_eq!(read(&mut text).unwrap().text(), "abc0123456789");
        assert!(read(&mut text).is_err() && read(&mut &b"nonsense\r\n\r\n"[..]).is_err());
    }
}
