//! O servidor que se avalia, como toda prova o vê: como chegar a ele, e o que já se sabe de como ele fala. Não o abre
//! nem conversa com ele.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ChildStdin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::costumes::Costumes;
use crate::conversa::escuta::Estilo;
use crate::conversa::fim_de_linha::FimDeLinha;
use crate::conversa::parada::Parada;

/// O que toda a avaliação tem em comum.
#[derive(Debug, Clone)]
pub struct Alvo {
    /// Como chegar ao servidor.
    pub quem: Quem,
    /// Onde ele escuta.
    pub endereco: SocketAddr,
    /// Quanto esperar que ele abra.
    pub espera: Duration,
    /// O que este servidor espera depois de um comando.
    pub fim_de_linha: FimDeLinha,
    /// O servidor aberto agora, se há um.
    pub aberto: Arc<Aberto>,
    /// Com que palavras este servidor responde, se não são as do enunciado. Aprende-se uma vez.
    pub estilo: Arc<Estilo>,
    /// Quanto demora, e se fecha a conexão depois de responder.
    pub costumes: Arc<Costumes>,
    /// O instante zero.
    pub inicio: Instant,
    /// O pedido de parada.
    pub parada: Arc<Parada>,
}

/// Como chegar ao servidor.
#[derive(Debug, Clone)]
pub enum Quem {
    /// Já está no ar, e ninguém aqui o abre ou fecha.
    NoAr,
    /// Este comando, dado ao `sh`, o abre.
    Comando {
        /// O comando.
        comando: String,
        /// O que se digita no console dele assim que começa.
        entrada: Option<String>,
        /// O que vem antes do zelador, para isolar o que ele abre, com o programa que ele é no fim; vazio, se nada
        /// o isola.
        moldura: Vec<OsString>,
        /// É um de uma turma: quem a corrige não tem `--entrada`, e responde em `iniciar.txt`.
        na_turma: bool,
    },
}

/// O que mantém vivo o servidor aberto agora, se há um. Quem larga o cano o derruba.
#[derive(Debug, Default)]
pub struct Aberto(Mutex<Option<ChildStdin>>);

impl Aberto {
    /// Derruba o servidor, sem conversa.
    pub fn derrubar(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn guardar(&self, cano: Option<ChildStdin>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = cano;
    }

    /// Pede ao servidor que termine.
    pub(super) fn despedir(&self) {
        let mut cano = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Se o zelador já se foi, não há a quem pedir.
        let _ = cano.as_mut().map(|cano| cano.write_all(b"."));
    }
}
