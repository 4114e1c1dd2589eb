//! The HTTP surfaces at a scrape.

use super::series::{counters, gauges};
use crate::http::Figures;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// By name: `http`, `admin`.
#[derive(Debug)]
pub(super) struct Surfaces(pub(super) Vec<(&'static str, Arc<Figures>)>);

impl Collector for Surfaces {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.requests(&mut encoder)?;
        self.connections(&mut encoder)
    }
}

impl Surfaces {
    /// One figure of each surface.
    fn each(
        &self,
        read: impl Fn(&Figures) -> &AtomicU64,
    ) -> impl Iterator<Item = ([(&'static str, &'static str); 1], u64)> {
        self.0.iter().map(move |(name, figures)| ([("surface", *name)], read(figures).load(Ordering::Relaxed)))
    }

    fn requests(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        counters(
            encoder,
            ("http_answers", None, "Answers by status"),
            self.0.iter().flat_map(|(name, figures)| {
                let answers = figures.answers().into_iter();
                answers.map(|(status, count)| ([("surface", name.to_string()), ("status", status.to_string())], count))
            }),
        )?;
        gauges(
            encoder,
            ("http_requests_open", None, "Requests at present, until their answers are taken"),
            self.each(|figures| &figures.requests_open),
        )?;
        counters(
            encoder,
            ("http_requests_shed", None, "Requests answered 503 because requests waited for too long"),
            self.each(|figures| &figures.requests_shed),
        )?;
        counters(
            encoder,
            ("http_requests_over_max", None, "Requests answered 503 because there were requests_max already"),
            self.each(|figures| &figures.requests_over_max),
        )?;
        counters(
            encoder,
            (
                "http_requests_over_bytes",
                None,
                "Requests answered 503 because bodies had no room in in_flight_bytes_max",
            ),
            self.each(|figures| &figures.requests_over_bytes),
        )
    }

    fn connections(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        gauges(
            encoder,
            ("http_connections_open", None, "Connections at present"),
            self.each(|figures| &figures.connections_open),
        )?;
        counters(
            encoder,
            ("http_connections", None, "Connections that were accepted"),
            self.each(|figures| &figures.connections_accepted),
        )?;
        counters(
            encoder,
            ("http_accepts_failed", None, "Connections that came in vain, for want of a descriptor most of all"),
            self.each(|figures| &figures.accepts_failed),
        )?;
        counters(
            encoder,
            ("http_connections_cut_off", None, "Connections that the host ended, by reason"),
            self.0.iter().flat_map(|(name, figures)| {
                let cut_off = figures.cut_off().into_iter();
                cut_off.map(|(reason, count)| ([("surface", *name), ("reason", reason)], count))
            }),
        )?;
        counters(
            encoder,
            ("http_tls_handshakes_failed", None, "TLS handshakes that failed"),
            self.each(|figures| &figures.handshakes_failed),
        )?;
        counters(
            encoder,
            ("http_certificates_reloaded", None, "Certificates put in force while the host ran"),
            self.each(|figures| &figures.certificates_reloaded),
        )?;
        counters(
            encoder,
            ("http_certificate_reloads_failed", None, "Changes of a certificate's files that were not put in force"),
            self.each(|figures| &figures.certificate_reloads_failed),
        )
    }
}
