//! A porta das métricas (`--metricas`): o HTTP que basta para um Prometheus, dentro do laço.
//!
//! Poucos de cada vez, por um prazo curto, e um pedido de cada: quem ali se cala, manda lixo ou não lê não segura o laço
//! nem ocupa memória, e dá o lugar a quem chega. O que se mostra é de [`crate::metricas`].

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

/// Quanto se espera que quem conectou peça, e leia.
const PRAZO: Duration = Duration::from_secs(1);

/// Sem descritores, quanto se espera para tentar de novo.
const PAUSA: Duration = Duration::from_millis(100);

/// Quantos se ouvem ao mesmo tempo; chegando outro, o mais antigo sai.
const CONVERSAS: usize = 16;

/// Um pedido maior do que isto não é de quem só quer os números.
const PEDIDO_MAXIMO: usize = 4 * 1024;

/// A porta, e quem está nela.
#[derive(Debug)]
pub(super) struct Metricas {
    escuta: TcpListener,
    /// Desde quando pode haver alguém à espera; `None` se não há.
    tentar: Option<Instant>,
    /// As mais antigas na frente.
    conversas: VecDeque<Conversa>,
}

#[derive(Debug)]
struct Conversa {
    fluxo: TcpStream,
    lido: Vec<u8>,
    /// O que falta dizer; antes de haver um pedido, nada.
    resposta: Vec<u8>,
    ate: Instant,
}

/// O que se pediu.
#[derive(Debug, PartialEq, Eq)]
enum Pedido {
    Numeros,
    OutroLugar,
    OutroMetodo,
    NaoEHttp,
}

impl Metricas {
    /// Passa a escutar em uma porta já reservada.
    pub(super) fn abrir(
        reservada: std::net::TcpListener,
        epoll: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        reservada.set_nonblocking(true)?;
        let mut escuta = TcpListener::from_std(reservada);
        epoll.register(&mut escuta, token, Interest::READABLE)?;
        Ok(Metricas { escuta, tentar: None, conversas: VecDeque::new() })
    }

    /// Onde.
    pub(super) fn endereco(&self) -> io::Result<SocketAddr> {
        self.escuta.local_addr()
    }

    /// Um evento disse que há alguém à porta.
    pub(super) fn marcar(&mut self, agora: Instant) {
        self.tentar = Some(agora);
    }

    /// Quando olhar de novo, ainda que nada aconteça.
    pub(super) fn prazo(&self) -> Option<Instant> {
        // A da frente é a mais antiga.
        let da_frente = self.conversas.front().map(|conversa| conversa.ate);
        da_frente.into_iter().chain(self.tentar).min()
    }

    /// Avança as conversas que houver, e começa outras. `numeros` só se chama se alguém os pediu.
    pub(super) fn atender(
        &mut self,
        agora: Instant,
        epoll: &Registry,
        token: Token,
        numeros: impl Fn() -> String,
    ) {
        // Antes de alguém dar o lugar, quem já pediu é atendido.
        self.avancar(agora, &numeros);
        self.aceitar(agora, epoll, token);
        self.avancar(agora, &numeros);
    }

    fn avancar(&mut self, agora: Instant, numeros: &impl Fn() -> String) {
        self.conversas.retain_mut(|conversa| {
            if conversa.resposta.is_empty()
                && let Some(pedido) = conversa.ler()
            {
                conversa.resposta = resposta(&pedido, numeros);
            }
            let acabou = !conversa.resposta.is_empty() && conversa.escrever();
            !acabou && agora < conversa.ate
        });
    }

    fn aceitar(&mut self, agora: Instant, epoll: &Registry, token: Token) {
        if self.tentar.is_none_or(|desde| agora < desde) {
            return;
        }
        for _ in 0..CONVERSAS {
            match self.escuta.accept() {
                Ok((mut fluxo, _)) => {
                    // Sem lugar no epoll não há como atender: a conexão fecha aqui.
                    let interesse = Interest::READABLE | Interest::WRITABLE;
                    if epoll.register(&mut fluxo, token, interesse).is_err() {
                        continue;
                    }
                    if self.conversas.len() == CONVERSAS {
                        self.conversas.pop_front();
                    }
                    let (lido, resposta, ate) = (Vec::new(), Vec::new(), agora + PRAZO);
                    self.conversas.push_back(Conversa { fluxo, lido, resposta, ate });
                }
                Err(erro) if erro.kind() == ErrorKind::WouldBlock => return self.tentar = None,
                Err(_) => return self.tentar = Some(agora + PAUSA),
            }
        }
        self.tentar = Some(agora);
    }
}

impl Conversa {
    /// O pedido, se já veio o cabeçalho inteiro, ou mais do que um pedido pode ter.
    fn ler(&mut self) -> Option<Pedido> {
        let mut pedaco = [0; 1024];
        loop {
            match self.fluxo.read(&mut pedaco) {
                Ok(0) => return Some(Pedido::NaoEHttp),
                Ok(lidos) => self.lido.extend_from_slice(&pedaco[..lidos]),
                Err(erro) if erro.kind() == ErrorKind::Interrupted => continue,
                Err(erro) if erro.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => return Some(Pedido::NaoEHttp),
            }
            if self.lido.windows(4).any(|fim| fim == b"\r\n\r\n") {
                return Some(ler_pedido(&self.lido));
            }
            if self.lido.len() > PEDIDO_MAXIMO {
                return Some(Pedido::NaoEHttp);
            }
        }
    }

    /// Escreve o que couber; diz se foi tudo.
    fn escrever(&mut self) -> bool {
        loop {
            match self.fluxo.write(&self.resposta) {
                Ok(0) => self.ate = Instant::now(),
                Ok(escritos) => {
                    self.resposta.drain(..escritos);
                    if !self.resposta.is_empty() {
                        continue;
                    }
                }
                Err(erro) if erro.kind() == ErrorKind::Interrupted => continue,
                Err(erro) if erro.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => self.resposta.clear(),
            }
            return true;
        }
    }
}

/// A primeira linha (RFC 9112, 3).
fn ler_pedido(cabecalho: &[u8]) -> Pedido {
    let linha = cabecalho.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let palavras: Vec<&[u8]> = linha.split(|byte| *byte == b' ').collect();
    match palavras[..] {
        [b"GET", alvo, versao] if versao.starts_with(b"HTTP/1.") => {
            let caminho = alvo.split(|byte| *byte == b'?').next().unwrap_or_default();
            if caminho == b"/metrics" { Pedido::Numeros } else { Pedido::OutroLugar }
        }
        [_, _, versao] if versao.starts_with(b"HTTP/1.") => Pedido::OutroMetodo,
        _ => Pedido::NaoEHttp,
    }
}

fn resposta(pedido: &Pedido, numeros: impl Fn() -> String) -> Vec<u8> {
    let (estado, corpo) = match pedido {
        Pedido::Numeros => ("200 OK", numeros()),
        Pedido::OutroLugar => ("404 Not Found", "os números estão em /metrics\n".into()),
        Pedido::OutroMetodo => ("405 Method Not Allowed\r\nAllow: GET", "só GET\n".into()),
        Pedido::NaoEHttp => ("400 Bad Request", "isto não é HTTP/1.1\n".into()),
    };
    let tamanho = corpo.len();
    format!(
        "HTTP/1.1 {estado}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {tamanho}\r\nConnection: close\r\n\r\n{corpo}"
    )
    .into_bytes()
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn so_um_get_de_metrics_ve_os_numeros() {
        for (linha, pedido) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Pedido::Numeros),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", Pedido::Numeros),
            ("GET / HTTP/1.1\r\n\r\n", Pedido::OutroLugar),
            ("GET /metricsx HTTP/1.1\r\n\r\n", Pedido::OutroLugar),
            ("POST /metrics HTTP/1.1\r\n\r\n", Pedido::OutroMetodo),
            ("COMPRAR\r\n\r\n", Pedido::NaoEHttp),
            ("GET /metrics\r\n\r\n", Pedido::NaoEHttp),
            ("\r\n\r\n", Pedido::NaoEHttp),
        ] {
            assert_eq!(ler_pedido(linha.as_bytes()), pedido, "{linha:?}");
        }
    }
}
