//! O AVISO a milhares: do pedido da última unidade ao momento em que a última conexão tem o que ler. Ao
//! lado, o `PUBLISH` do Redis a outros tantos inscritos, e o piso: um laço que só escreve em cada socket.
//!
//! Um socket legível já recebeu o AVISO, e basta o evento para sabê-lo: ler fica para depois, quando se
//! confere que a cada um chegou exatamente um. Outro cliente faz uma pergunta assim que o primeiro aviso
//! chega; quanto ele espera, comparado com a duração do aviso, diz quem fica preso atrás de quem.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream as TcpQueBloqueia;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use protocolo::mensagem::AVISO;
use testes::PRAZO;

use crate::fala::{Fala, Leitor, trocar};
use crate::gerador::conectar;
use crate::pares::{Aberto, Par, nosso, resp};

/// Quem avisa.
pub const PARES: [Par; 3] = [Par::Servidor, Par::Eco, Par::Redis];

/// Um aviso a muitos.
#[derive(Debug, Clone, Copy)]
pub struct Transmissao {
    /// Até o último ouvinte, em microssegundos.
    pub ultimo: f64,
    /// Quanto esperou quem fez uma pergunta no meio, em microssegundos.
    pub vizinho: f64,
}

/// O que se diz, e quem diz.
struct Cena {
    /// O que um ouvinte manda ao chegar, e quantas linhas tem a resposta.
    chegar: (Vec<u8>, usize),
    /// O que dispara o aviso.
    disparar: Vec<u8>,
    /// O que o vizinho pergunta no meio.
    perguntar: Vec<u8>,
}

impl Cena {
    fn de(par: Par) -> Self {
        let linhas = |chegar: &str, disparar: &str| Cena {
            chegar: (chegar.into(), 1),
            disparar: disparar.into(),
            perguntar: chegar.into(),
        };
        match par {
            Par::Redis => Cena {
                // Três elementos: o tamanho da lista, dois textos com o seu tamanho, e um número.
                chegar: (resp(&["SUBSCRIBE", "aviso"]), 6),
                disparar: resp(&["PUBLISH", "aviso", AVISO]),
                perguntar: resp(&["DECR", "estoque"]),
            },
            Par::Eco => linhas("oi\n", "!\n"),
            _ => linhas("CONSULTAR\n", "COMPRAR\n"),
        }
    }
}

/// Abre o par, junta `ouvintes` e mede um aviso.
///
/// # Errors
///
/// Por que não se pôde medir.
pub fn medir(par: Par, ouvintes: usize) -> Result<Transmissao, String> {
    let aberto = abrir(par)?;
    let cena = Cena::de(par);
    transmitir(&aberto, &cena, ouvintes).map_err(|erro| format!("{ouvintes} ouvintes: {erro}"))
}

fn abrir(par: Par) -> Result<Aberto, String> {
    match par {
        // Cada estoque esgota uma vez na vida.
        Par::Servidor => Ok(nosso("servidor", "--silencioso --estoque 1", None)),
        Par::Eco => Ok(nosso("examples/eco", "--avisa", None)),
        _ => par.abrir(),
    }
}

/// O vendedor e o vizinho são sockets comuns; os ouvintes, e o vizinho, estão no `Poll`.
struct Plateia {
    poll: Poll,
    ouvintes: Vec<TcpStream>,
    ouviram: Vec<bool>,
    vizinho: TcpStream,
}

fn transmitir(aberto: &Aberto, cena: &Cena, quantos: usize) -> io::Result<Transmissao> {
    let mudo = Fala::de_linhas("");
    let chegar = |indice| {
        let mut fluxo = conectar(aberto.endereco, indice, &mudo, false)?;
        trocar(&mut fluxo, &cena.chegar.0, Leitor::Linhas, cena.chegar.1)?;
        Ok(fluxo)
    };
    let mut vendedor = conectar(aberto.endereco, 0, &mudo, false)?;
    let vizinho = conectar(aberto.endereco, 0, &mudo, false)?;
    let ouvintes = (0..quantos).map(chegar).collect::<io::Result<Vec<_>>>()?;
    let mut plateia = Plateia::nova(ouvintes, vizinho)?;
    let transmissao = plateia.ouvir(&mut vendedor, cena)?;
    plateia.conferir()?;
    Ok(transmissao)
}

impl Plateia {
    fn nova(ouvintes: Vec<TcpQueBloqueia>, vizinho: TcpQueBloqueia) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registrar = |(indice, fluxo): (usize, TcpQueBloqueia)| {
            fluxo.set_nonblocking(true)?;
            let mut fluxo = TcpStream::from_std(fluxo);
            poll.registry().register(&mut fluxo, Token(indice), Interest::READABLE)?;
            Ok(fluxo)
        };
        let vizinho = registrar((ouvintes.len(), vizinho))?;
        let ouvintes: Vec<TcpStream> =
            ouvintes.into_iter().enumerate().map(registrar).collect::<io::Result<_>>()?;
        let ouviram = vec![false; ouvintes.len()];
        Ok(Plateia { poll, ouvintes, ouviram, vizinho })
    }

    fn ouvir(&mut self, vendedor: &mut TcpQueBloqueia, cena: &Cena) -> io::Result<Transmissao> {
        let mut eventos = Events::with_capacity(1024);
        let (mut faltam, mut ultimo) = (self.ouvintes.len(), Duration::ZERO);
        let mut perguntou: Option<Instant> = None;
        let mut vizinho: Option<Duration> = None;
        let comeco = Instant::now();
        vendedor.write_all(&cena.disparar)?;
        while faltam > 0 || vizinho.is_none() {
            self.poll.poll(&mut eventos, Some(PRAZO))?;
            let agora = Instant::now();
            if eventos.is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
            for evento in &eventos {
                let indice = evento.token().0;
                match self.ouviram.get_mut(indice) {
                    Some(ouviu @ false) => {
                        *ouviu = true;
                        faltam -= 1;
                        ultimo = agora - comeco;
                    }
                    Some(true) => {}
                    // O AVISO também chega ao vizinho; só a resposta conta.
                    None => {
                        let resposta = self.resposta_ao_vizinho()?;
                        vizinho = vizinho.or(perguntou.filter(|_| resposta).map(|q| q.elapsed()));
                    }
                }
            }
            if perguntou.is_none() && faltam < self.ouvintes.len() {
                perguntou = Some(Instant::now());
                self.vizinho.write_all(&cena.perguntar)?;
            }
        }
        let micros = |tempo: Duration| tempo.as_secs_f64() * 1e6;
        Ok(Transmissao { ultimo: micros(ultimo), vizinho: micros(vizinho.unwrap_or_default()) })
    }

    fn resposta_ao_vizinho(&mut self) -> io::Result<bool> {
        let ouvido = tudo_o_que_chegou(&mut self.vizinho)?;
        Ok(ouvido.lines().any(|linha| !linha.starts_with("AVISO")))
    }

    /// A cada ouvinte chegou exatamente um aviso.
    fn conferir(&mut self) -> io::Result<()> {
        for ouvinte in &mut self.ouvintes {
            let ouvido = tudo_o_que_chegou(ouvinte)?;
            if ouvido.matches(AVISO).count() != 1 {
                return Err(io::Error::other(format!("um ouvinte ouviu {ouvido:?}")));
            }
        }
        Ok(())
    }
}

fn tudo_o_que_chegou(fluxo: &mut TcpStream) -> io::Result<String> {
    let mut ouvido = Vec::new();
    match fluxo.read_to_end(&mut ouvido) {
        Err(erro) if erro.kind() == ErrorKind::WouldBlock => {
            Ok(String::from_utf8_lossy(&ouvido).into_owned())
        }
        Err(erro) => Err(erro),
        Ok(_) => Err(ErrorKind::UnexpectedEof.into()),
    }
}
