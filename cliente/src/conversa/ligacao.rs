//! A ligação: um socket e a escuta do que chega por ele. Toda espera é uma leitura com prazo, nunca um sono cego.
//! Não decide o que pedir, nem guarda o que ouviu.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocolo::Comando;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::escuta::{Escuta, Estilo, Ouvida};
use super::fim_de_linha::FimDeLinha;
use super::parada::Parada;

/// Quanto se espera uma conexão se completar, por endereço: tempo para o sistema repetir algumas vezes
/// um pedido perdido (tcp(7), `tcp_syn_retries`).
pub const PRAZO_DA_CONEXAO: Duration = Duration::from_secs(10);

/// Uma conexão aberta.
#[derive(Debug)]
pub struct Ligacao {
    socket: Arc<TcpStream>,
    escuta: Escuta,
}

/// O que uma leitura trouxe.
#[derive(Debug)]
pub enum Chegada {
    /// Chegaram bytes, que completaram estas mensagens.
    Bytes(Vec<Ouvida>),
    /// Só silêncio, e ele completou estas.
    Silencio(Vec<Ouvida>),
    /// Nada chegou, e nada ficou pela metade.
    Nada,
    /// A conexão terminou; estas são as últimas. Sem erro, foi o servidor quem a fechou.
    Fim(Vec<Ouvida>, Option<io::Error>),
}

impl Ligacao {
    /// Conecta, esperando no máximo `prazo`. O socket fica na parada *antes*: nem um servidor que não completa a
    /// conexão prende quem apertou Ctrl-C.
    ///
    /// # Errors
    ///
    /// A conexão não se fez, ou a parada já foi pedida.
    pub fn abrir(parada: &Parada, endereco: SocketAddr, prazo: Duration) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(endereco), Type::STREAM, Some(Protocol::TCP))?;
        let socket = Arc::new(TcpStream::from(socket));
        parada.guardar(&socket);
        if parada.pedida() {
            return Err(ErrorKind::Interrupted.into());
        }
        SockRef::from(&*socket).connect_timeout(&endereco.into(), prazo)?;
        // Comandos são pequenos e esperados: sem Nagle. Se falhar, só demora mais.
        let _ = socket.set_nodelay(true);
        Ok(Ligacao { socket, escuta: Escuta::default() })
    }

    /// Mandar passa a esperar no máximo `prazo` por um servidor que não lê.
    ///
    /// # Errors
    ///
    /// O sistema não aceitou o prazo.
    pub fn limitar_o_envio(&self, prazo: Duration) -> io::Result<()> {
        self.socket.set_write_timeout(Some(prazo))
    }

    /// Manda um pedido; a resposta passa a ser esperada.
    ///
    /// # Errors
    ///
    /// A conexão quebrou.
    pub fn pedir(&mut self, comando: &Comando, fim_de_linha: FimDeLinha) -> io::Result<()> {
        self.escuta.pediu(comando.compra());
        match comando {
            Comando::Pedido(id) => {
                // Um id só acaba onde acaba a linha: sem fim de linha, ninguém responderia.
                let fim = match fim_de_linha {
                    FimDeLinha::Nenhum => FimDeLinha::Lf,
                    outro => outro,
                };
                self.mandar(&[comando.nome(), b" ", id.texto().as_bytes(), fim.bytes()].concat())
            }
            _ => self.mandar(&[comando.nome(), fim_de_linha.bytes()].concat()),
        }
    }

    /// Manda estes bytes, sem esperar resposta.
    ///
    /// # Errors
    ///
    /// A conexão quebrou.
    pub fn mandar(&self, bytes: &[u8]) -> io::Result<()> {
        (&*self.socket).write_all(bytes)
    }

    /// Uma leitura, que dura no máximo até `limite`, a contar de `inicio`; com o limite no passado, lê o que já
    /// houver. Uma mensagem pela metade tem o direito de terminar, ainda que o prazo vença antes.
    pub fn ouvir(&mut self, inicio: Instant, limite: Duration, estilo: &Estilo) -> Chegada {
        let silencio = self.escuta.fim_do_silencio();
        let ate = silencio.unwrap_or(limite);
        let mut bytes = [0; 1024];
        let lido = ler(&self.socket, ate.saturating_sub(inicio.elapsed()), &mut bytes);
        let agora = inicio.elapsed();
        match lido {
            Ok(0) => Chegada::Fim(self.escuta.fim(estilo), None),
            Ok(n) => Chegada::Bytes(self.escuta.receber(agora, &bytes[..n], estilo)),
            Err(erro) if erro.kind() == ErrorKind::Interrupted => Chegada::Silencio(Vec::new()),
            Err(erro) if matches!(erro.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                match silencio {
                    Some(_) => Chegada::Silencio(self.escuta.calou(agora, estilo)),
                    None => Chegada::Nada,
                }
            }
            // Quem fecha sem ler tudo o que se mandou quebra a conexão, mas o que disse antes vale.
            Err(erro) => Chegada::Fim(self.escuta.fim(estilo), Some(erro)),
        }
    }

    /// Desiste da resposta ao pedido em curso. O que talvez fosse ela passa a ser.
    pub fn desistir(&mut self, estilo: &Estilo) -> Option<Ouvida> {
        self.escuta.desistiu(estilo)
    }

    /// O que já chegou ainda pode mudar de sentido?
    pub fn no_meio(&self) -> bool {
        self.escuta.fim_do_silencio().is_some()
    }

    /// A porta desta ponta, como o servidor a vê.
    pub fn porta(&self) -> Option<u16> {
        self.socket.local_addr().ok().map(|endereco| endereco.port())
    }

    /// Termina: o que sobrou pela metade não vai mudar.
    pub fn terminar(mut self, estilo: &Estilo) -> Vec<Ouvida> {
        self.escuta.fim(estilo)
    }

    /// Termina sem se despedir: o servidor recebe um reset.
    pub fn resetar(self) {
        let _ = SockRef::from(&*self.socket).set_linger(Some(Duration::ZERO));
    }

    /// Avisa que não manda mais nada, e termina.
    pub fn despedir(self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

/// Lê, esperando no máximo `espera`.
fn ler(mut socket: &TcpStream, espera: Duration, bytes: &mut [u8]) -> io::Result<usize> {
    if espera.is_zero() {
        // Para a std, um prazo zero é um erro; para nós, uma olhada sem esperar.
        socket.set_nonblocking(true)?;
        let lido = socket.read(bytes);
        socket.set_nonblocking(false)?;
        lido
    } else {
        socket.set_read_timeout(Some(espera))?;
        socket.read(bytes)
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::conversa::desfecho::Desfecho;
    use crate::conversa::escuta::Papel;
    use std::net::TcpListener;

    /// Quem fecha com um reset, depois de responder sem fim de linha, respondeu.
    #[test]
    fn o_que_se_disse_antes_de_a_conexao_quebrar_vale() {
        let porta = TcpListener::bind("127.0.0.1:0").unwrap();
        let (parada, estilo, inicio) = (Parada::default(), Estilo::default(), Instant::now());
        let prazo = Duration::from_secs(3600);
        let mut ligacao = Ligacao::abrir(&parada, porta.local_addr().unwrap(), prazo).unwrap();
        let (mut servidor, _) = porta.accept().unwrap();
        ligacao.pedir(&Comando::Consultar, FimDeLinha::Lf).unwrap();
        servidor.write_all(b"Estoque atual: 7").unwrap();
        let Chegada::Bytes(ouvidas) = ligacao.ouvir(inicio, prazo, &estilo) else { panic!() };
        assert_eq!(ouvidas, [], "sem fim de linha, ainda podem vir outros algarismos");
        SockRef::from(&servidor).set_linger(Some(Duration::ZERO)).unwrap();
        drop(servidor);
        loop {
            match ligacao.ouvir(inicio, prazo, &estilo) {
                Chegada::Fim(ouvidas, erro) => {
                    assert!(erro.is_some());
                    return assert_eq!(ouvidas[0].papel, Papel::Resposta(Desfecho::Leu(7)));
                }
                // Se o reset demora mais que o silêncio, a resposta já se entendeu.
                Chegada::Silencio(ouvidas) if !ouvidas.is_empty() => return,
                _ => {}
            }
        }
    }
}
