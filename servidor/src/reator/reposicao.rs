//! Quem atende, dentro do laço, os pedidos de reposição de um livro aberto ([o que se diz](crate::reposicao)).
//!
//! Um de cada vez, por um prazo curto, e uma linha só: quem ali se cala, manda lixo ou não lê não segura o laço nem
//! ocupa memória, e só faz esperar o pedido seguinte. O livro não se vê daqui.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mio::{Interest, Registry, Token};

use crate::reposicao::{LINHA, ao_lado, ler_pedido, recusa};
use crate::sistema::{EscutaLocal, FluxoLocal, escutar_localmente, identidade};

/// Quanto se espera que quem conectou diga o que quer.
const PRAZO: Duration = Duration::from_secs(1);

/// Sem descritores, quanto se espera para tentar de novo.
const PAUSA: Duration = Duration::from_millis(100);

/// O socket ao lado do livro. Some com isto.
pub(super) struct Reposicao {
    escuta: EscutaLocal,
    caminho: PathBuf,
    /// Que socket é: o nome pode vir a ser de outro.
    nosso: Option<(u64, u64)>,
    /// Desde quando pode haver alguém à espera; `None` se não há.
    tentar: Option<Instant>,
    conversa: Option<Conversa>,
}

/// Quem está a pedir.
struct Conversa {
    fluxo: FluxoLocal,
    lido: Vec<u8>,
    ate: Instant,
}

/// O que veio em uma leitura.
enum Leitura {
    Linha(Vec<u8>),
    /// Ainda não chegou a linha toda.
    Falta,
    /// Já não virá.
    Acabou,
}

impl Reposicao {
    /// Passa a esperar pedidos ao lado deste livro, cuja tranca já é nossa.
    pub(super) fn abrir(livro: &Path, epoll: &Registry, token: Token) -> io::Result<Self> {
        let caminho = ao_lado(livro)?;
        let mut escuta = escutar_localmente(&caminho)?;
        epoll.register(&mut escuta, token, Interest::READABLE)?;
        let nosso = quem_esta(&caminho);
        Ok(Reposicao { escuta, caminho, nosso, tentar: None, conversa: None })
    }

    /// Um evento disse que há alguém à porta.
    pub(super) fn marcar(&mut self, agora: Instant) {
        self.tentar = Some(agora);
    }

    /// Quando olhar de novo, ainda que nada aconteça.
    pub(super) fn prazo(&self) -> Option<Instant> {
        self.conversa.as_ref().map(|conversa| conversa.ate).or(self.tentar)
    }

    /// Quantas unidades se pedem, se um pedido se completou. Quem pediu espera a resposta.
    pub(super) fn pedido(&mut self, agora: Instant, epoll: &Registry, token: Token) -> Option<u64> {
        self.aceitar(agora, epoll, token);
        let conversa = self.conversa.as_mut()?;
        match conversa.ler() {
            Leitura::Falta if agora < conversa.ate => None,
            Leitura::Falta | Leitura::Acabou => {
                self.despedir(agora);
                None
            }
            Leitura::Linha(linha) => {
                let pedido = ler_pedido(&linha);
                if pedido.is_none() {
                    self.responder(&recusa("não entendi o pedido"), agora);
                }
                pedido
            }
        }
    }

    /// Responde a quem pediu e passa ao seguinte. Quem não lê fica sem ouvir: uma linha cabe sempre no socket de
    /// quem acabou de conectar.
    pub(super) fn responder(&mut self, linha: &str, agora: Instant) {
        if let Some(conversa) = &mut self.conversa {
            let _ = conversa.fluxo.write_all(linha.as_bytes());
        }
        self.despedir(agora);
    }

    fn despedir(&mut self, agora: Instant) {
        self.conversa = None;
        // Enquanto se falava com ele, outro pode ter chegado, e o evento já passou.
        self.tentar = Some(agora);
    }

    fn aceitar(&mut self, agora: Instant, epoll: &Registry, token: Token) {
        if self.conversa.is_some() || self.tentar.is_none_or(|desde| agora < desde) {
            return;
        }
        self.tentar = match self.escuta.accept() {
            Ok((mut fluxo, _)) => {
                // Sem lugar no epoll não há como atender: a conexão fecha aqui, e quem pede o sabe.
                if epoll.register(&mut fluxo, token, Interest::READABLE).is_ok() {
                    let ate = agora + PRAZO;
                    self.conversa = Some(Conversa { fluxo, lido: Vec::new(), ate });
                }
                Some(agora)
            }
            Err(erro) if erro.kind() == ErrorKind::WouldBlock => None,
            Err(_) => Some(agora + PAUSA),
        };
    }
}

impl Drop for Reposicao {
    fn drop(&mut self) {
        // A tranca é do livro, e não do nome: se mudaram o livro de lugar, outro servidor pode ter aberto um novo neste, e
        // o socket é dele. Se o nosso não sai, o próximo servidor o tira.
        if self.nosso.is_some() && quem_esta(&self.caminho) == self.nosso {
            let _ = fs::remove_file(&self.caminho);
        }
    }
}

/// Que arquivo está neste nome.
fn quem_esta(caminho: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(caminho).ok().map(|dele| identidade(&dele))
}

impl Conversa {
    fn ler(&mut self) -> Leitura {
        let mut pedaco = [0; LINHA];
        loop {
            match self.fluxo.read(&mut pedaco) {
                Ok(0) => return Leitura::Acabou,
                Ok(lidos) => self.lido.extend_from_slice(&pedaco[..lidos]),
                Err(erro) if erro.kind() == ErrorKind::Interrupted => continue,
                Err(erro) if erro.kind() == ErrorKind::WouldBlock => return Leitura::Falta,
                Err(_) => return Leitura::Acabou,
            }
            if let Some(fim) = self.lido.iter().position(|byte| *byte == b'\n') {
                self.lido.truncate(fim);
                return Leitura::Linha(std::mem::take(&mut self.lido));
            }
            if self.lido.len() >= LINHA {
                return Leitura::Acabou;
            }
        }
    }
}

#[cfg(all(test, unix))]
mod testes {
    use super::*;
    use mio::Poll;

    #[test]
    fn o_socket_que_some_e_so_o_nosso() {
        let pasta = tempfile::tempdir().unwrap();
        let [livro, levado] = ["vendas.db", "levado.db"].map(|nome| pasta.path().join(nome));
        let poll = Poll::new().unwrap();
        let abrir = || {
            fs::write(&livro, "").unwrap();
            Reposicao::abrir(&livro, poll.registry(), Token(0)).unwrap()
        };
        let ha_socket = || pasta.path().join("vendas.db-repor").exists();
        let primeiro = abrir();
        // Levam o livro do primeiro, aberto, e outro servidor abre um novo no mesmo lugar.
        fs::rename(&livro, &levado).unwrap();
        let segundo = abrir();
        drop(primeiro);
        assert!(ha_socket(), "o socket do segundo");
        drop(segundo);
        assert!(!ha_socket());
    }
}
