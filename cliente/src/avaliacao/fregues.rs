//! O freguês: uma conexão que faz o que a prova manda, certo ou errado, e guarda o que ouviu. Toda
//! espera tem prazo, e nada que o servidor faça é um erro: é um fato da prova.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocolo::mensagem::{AVISO, avisa_que_esgotou};
use protocolo::{Comando, Mensagem};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::banca::Quem;
use crate::historia::{Desfecho, Historia, Operacao, Presenca};
use crate::opcoes::FimDeLinha;
use crate::ouvido::Ouvido;
use crate::parada::Parada;

/// Quanto um servidor tem para responder. Um que funciona leva milissegundos.
pub const PRAZO: Duration = Duration::from_secs(3);

/// O que toda a avaliação tem em comum.
#[derive(Debug, Clone)]
pub struct Mundo {
    /// Como chegar ao servidor.
    pub quem: Quem,
    /// Onde ele escuta.
    pub endereco: SocketAddr,
    /// Quanto esperar que ele abra.
    pub espera: Duration,
    /// O que este servidor espera depois de um comando.
    pub fim_de_linha: FimDeLinha,
    /// O instante zero.
    pub inicio: Instant,
    /// O pedido de parada.
    pub parada: Arc<Parada>,
}

/// Um pedido e a resposta, letra por letra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Troca {
    /// O que se pediu.
    pub comando: Comando,
    /// O que veio, sem o fim de linha; `None` se nada veio no prazo.
    pub resposta: Option<String>,
    /// Quanto demorou.
    pub demora: Duration,
}

impl Troca {
    /// O que a resposta quer dizer.
    pub fn mensagem(&self) -> Option<Mensagem> {
        self.resposta.as_ref().map(|texto| Mensagem::interpretar(texto.as_bytes()))
    }

    /// A resposta veio letra por letra como o enunciado a escreve (§3.2)?
    pub fn ao_pe_da_letra(&self) -> bool {
        self.mensagem().map(|mensagem| mensagem.to_string()) == self.resposta
    }
}

/// Uma conexão com o servidor avaliado.
#[derive(Debug)]
pub struct Fregues<'a> {
    mundo: &'a Mundo,
    socket: Arc<TcpStream>,
    ouvido: Ouvido,
    /// Chegou e ainda não se usou: quando, e o texto.
    chegadas: Vec<(Duration, String)>,
    historia: Historia,
    /// As palavras dos AVISOs.
    pub avisos: Vec<String>,
    /// O que pediu e ouviu.
    pub trocas: Vec<Troca>,
}

impl<'a> Fregues<'a> {
    /// Conecta.
    ///
    /// # Errors
    ///
    /// Ninguém atende.
    pub fn conectar(mundo: &'a Mundo) -> io::Result<Self> {
        let dominio = Domain::for_address(mundo.endereco);
        let socket = Socket::new(dominio, Type::STREAM, Some(Protocol::TCP))?;
        let socket = Arc::new(TcpStream::from(socket));
        mundo.parada.guardar(&socket);
        let pediu = mundo.inicio.elapsed();
        SockRef::from(&*socket).connect_timeout(&mundo.endereco.into(), PRAZO)?;
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(PRAZO))?;
        let conectou = mundo.inicio.elapsed();
        let presenca = Presenca { numero: 1, pediu, conectou, ..Presenca::default() };
        Ok(Fregues {
            mundo,
            socket,
            ouvido: Ouvido::default(),
            chegadas: Vec::new(),
            historia: Historia { presencas: vec![presenca], ..Historia::default() },
            avisos: Vec::new(),
            trocas: Vec::new(),
        })
    }

    /// A porta desta ponta, como o servidor a vê.
    pub fn porta(&self) -> Option<u16> {
        Some(self.socket.local_addr().ok()?.port())
    }

    /// Manda bytes. Se o servidor não os recebe, é ele quem perde.
    pub fn manda(&self, bytes: &[u8]) {
        let _ = (&*self.socket).write_all(bytes);
    }

    /// Pede e espera a resposta; o que for AVISO fica guardado.
    pub fn pede(&mut self, comando: Comando) -> Option<Mensagem> {
        let bytes = [comando.nome(), self.mundo.fim_de_linha.bytes()].concat();
        let enviada = self.mundo.inicio.elapsed();
        self.manda(&bytes);
        // Uma mensagem que ninguém pediu pode ter chegado antes: passa pela resposta, e o tempo não volta.
        let chegada = self.espera_resposta(enviada + PRAZO);
        let chegada = chegada.map(|(quando, texto)| (quando.max(enviada), texto));
        let compra = comando == Comando::Comprar;
        let mensagem = chegada.as_ref().map(|(_, texto)| Mensagem::interpretar(texto.as_bytes()));
        let resposta = chegada.as_ref().zip(mensagem.as_ref()).map(|((quando, _), mensagem)| {
            self.historia.presencas[0].respondida.get_or_insert(*quando);
            (*quando, desfecho(compra, mensagem))
        });
        let fim = chegada.as_ref().map_or_else(|| self.mundo.inicio.elapsed(), |(fim, _)| *fim);
        self.historia.operacoes.push(Operacao { presenca: 1, compra, enviada, resposta });
        let resposta = chegada.map(|(_, texto)| texto);
        self.trocas.push(Troca { comando, resposta, demora: fim - enviada });
        mensagem
    }

    /// Compra até ouvir que foi a última, ou outra coisa que não uma venda; no máximo `quantas`, que um
    /// servidor pode nunca dizer que acabou.
    pub fn compra_tudo(&mut self, quantas: u64) {
        for _ in 0..quantas {
            let Some(Mensagem::Compra { restante: 1.. }) = self.pede(Comando::Comprar) else {
                return;
            };
        }
    }

    fn espera_resposta(&mut self, limite: Duration) -> Option<(Duration, String)> {
        loop {
            while !self.chegadas.is_empty() {
                let (quando, texto) = self.chegadas.remove(0);
                match Mensagem::interpretar(texto.as_bytes()) {
                    Mensagem::Aviso(_) => self.anota_aviso(quando, texto),
                    _ => return Some((quando, texto)),
                }
            }
            if !self.escuta(limite) {
                return None;
            }
        }
    }

    /// Ouve até este instante, ou até receber um AVISO.
    pub fn espera_aviso(&mut self, limite: Duration) {
        loop {
            for (quando, texto) in std::mem::take(&mut self.chegadas) {
                if matches!(Mensagem::interpretar(texto.as_bytes()), Mensagem::Aviso(_)) {
                    self.anota_aviso(quando, texto);
                }
            }
            if !self.avisos.is_empty() || !self.escuta(limite) {
                return;
            }
        }
    }

    fn anota_aviso(&mut self, quando: Duration, texto: String) {
        let presenca = &mut self.historia.presencas[0];
        let quais = if avisa_que_esgotou(&texto) {
            &mut presenca.avisos
        } else {
            &mut presenca.outros_avisos
        };
        quais.push(quando);
        self.avisos.push(texto);
    }

    /// Uma leitura, até `limite`; `false` se o tempo acabou ou a conexão se foi.
    fn escuta(&mut self, limite: Duration) -> bool {
        let agora = self.mundo.inicio.elapsed();
        let ate = self.ouvido.fim_do_silencio().unwrap_or(limite);
        let resta = ate.saturating_sub(agora).max(Duration::from_micros(1));
        let mut bytes = [0; 4096];
        let lido = self
            .socket
            .set_read_timeout(Some(resta))
            .and_then(|()| (&*self.socket).read(&mut bytes));
        let agora = self.mundo.inicio.elapsed();
        let chegadas = &mut self.chegadas;
        let mut guarda = |quando, texto: &[u8]| {
            chegadas.push((quando, String::from_utf8_lossy(texto.trim_ascii()).into_owned()));
        };
        match lido {
            Ok(0) => {
                self.ouvido.fim(guarda);
                !self.chegadas.is_empty()
            }
            Ok(n) => {
                self.ouvido.receber(agora, &bytes[..n], |texto| guarda(agora, texto));
                true
            }
            Err(erro) if matches!(erro.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if self.ouvido.fim_do_silencio().is_some_and(|fim| fim <= agora) {
                    self.ouvido.calou(guarda);
                    return true;
                }
                agora < limite
            }
            Err(erro) => erro.kind() == ErrorKind::Interrupted,
        }
    }

    /// Vai embora sem educação: o servidor recebe um reset.
    pub fn reseta(self) {
        let _ = SockRef::from(&*self.socket).set_linger(Some(Duration::ZERO));
    }

    /// Avisa que não manda mais nada, e vai embora.
    pub fn desiste(self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// A história desta conexão, como a auditoria a lê, e a conexão acaba.
    pub fn conta(mut self, usuario: usize) -> Historia {
        self.historia.usuario = usuario;
        self.historia.presencas[0].fechou = Some(self.mundo.inicio.elapsed());
        self.historia
    }

    /// Recebeu exatamente o AVISO do enunciado?
    pub fn aviso_exato(&self) -> bool {
        self.avisos.iter().all(|aviso| aviso == AVISO)
    }
}

fn desfecho(compra: bool, mensagem: &Mensagem) -> Desfecho {
    match (compra, mensagem) {
        (false, Mensagem::Estoque(atual)) => Desfecho::Leu(*atual),
        (true, Mensagem::Compra { restante }) => Desfecho::Comprou(*restante),
        (true, Mensagem::Esgotado) => Desfecho::Recusado,
        (_, outra) => Desfecho::Estranho(outra.to_string()),
    }
}
