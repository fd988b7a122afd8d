//! A sessão: leva um usuário por um socket de verdade, com um relógio de verdade.
//!
//! É a parte da §6 do enunciado: a mesma thread manda comandos e ouve avisos, porque toda espera com
//! conexão é uma leitura com prazo, nunca um sono cego. O que fazer é o usuário quem diz; aqui não se
//! decide nada.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use protocolo::Comando;
use protocolo::terminal::explicar;

use crate::escuta::Escuta;
use crate::historia::{Falha, Historia};
use crate::opcoes::FimDeLinha;
use crate::parada::Parada;
use crate::usuario::{Noticia, Passo, Usuario};

/// Quanto se espera uma conexão se completar, por endereço.
const PRAZO_DA_CONEXAO: Duration = Duration::from_secs(10);

/// Enquanto o servidor não abre, de quanto em quanto tempo se tenta de novo.
const ENTRE_TENTATIVAS: Duration = Duration::from_millis(100);

/// O que todas as sessões têm em comum.
#[derive(Debug)]
pub struct Cena {
    /// O instante zero de todas as histórias.
    pub inicio: Instant,
    /// Onde está o servidor; um nome pode ter vários endereços.
    pub enderecos: Vec<SocketAddr>,
    /// Até quando, desde o início, um servidor que recusa conexões pode só estar abrindo.
    pub espera: Duration,
    /// O que vai depois de cada comando.
    pub fim_de_linha: FimDeLinha,
    /// O pedido de parada.
    pub parada: Arc<Parada>,
}

/// O que uma sessão conta ao painel: quem, quando e o quê.
#[derive(Debug)]
pub enum Recado {
    /// O servidor ainda não aceita conexões; continua-se tentando.
    Esperando,
    /// Uma notícia do usuário deste número.
    Usuario(usize, Duration, Noticia),
}

/// Vive a sessão de um usuário, do começo ao fim, e devolve a sua história.
pub fn viver(numero: usize, usuario: Usuario, cena: &Cena, recados: Sender<Recado>) -> Historia {
    Sessao { numero, usuario, cena, recados, conexao: None }.viver()
}

struct Sessao<'a> {
    numero: usize,
    usuario: Usuario,
    cena: &'a Cena,
    recados: Sender<Recado>,
    conexao: Option<(Arc<TcpStream>, Escuta)>,
}

impl Sessao<'_> {
    fn viver(mut self) -> Historia {
        loop {
            if self.cena.parada.pedida() {
                self.usuario.interromper(self.agora());
            }
            match self.usuario.avancar(self.agora()) {
                Passo::Ausentar(ate) => {
                    self.conexao = None;
                    self.cena.parada.dormir(ate.saturating_sub(self.agora()));
                }
                Passo::Conectar => self.conectar(),
                Passo::Enviar(comando) => self.enviar(&comando),
                Passo::Ouvir(ate) => self.ouvir(ate),
                Passo::Terminar => break,
            }
            self.contar_as_novas();
        }
        self.conexao = None;
        self.contar_as_novas();
        self.usuario.contar()
    }

    fn agora(&self) -> Duration {
        self.cena.inicio.elapsed()
    }

    fn contar_as_novas(&mut self) {
        let agora = self.cena.inicio.elapsed();
        for noticia in self.usuario.noticias() {
            // Se o painel já se foi, ninguém mais quer saber.
            let _ = self.recados.send(Recado::Usuario(self.numero, agora, noticia));
        }
    }

    fn conectar(&mut self) {
        self.conexao = None;
        loop {
            let tentativa = self.tentar_conectar();
            if self.cena.parada.pedida() {
                return;
            }
            match tentativa {
                Ok(socket) => {
                    self.usuario.conectou(self.agora());
                    self.conexao = Some((socket, Escuta::default()));
                    return;
                }
                Err(erro)
                    if erro.kind() == ErrorKind::ConnectionRefused
                        && self.agora() < self.cena.espera =>
                {
                    let _ = self.recados.send(Recado::Esperando);
                    self.cena.parada.dormir(ENTRE_TENTATIVAS);
                }
                Err(erro) => {
                    return self.usuario.caiu(self.agora(), Falha::SemConexao(explicar(&erro)));
                }
            }
        }
    }

    fn tentar_conectar(&self) -> std::io::Result<Arc<TcpStream>> {
        let mut ultimo_erro = ErrorKind::AddrNotAvailable.into();
        for endereco in &self.cena.enderecos {
            match TcpStream::connect_timeout(endereco, PRAZO_DA_CONEXAO) {
                Ok(socket) => {
                    // Comandos são pequenos e esperados: sem Nagle. Se falhar, só demora mais.
                    let _ = socket.set_nodelay(true);
                    let socket = Arc::new(socket);
                    self.cena.parada.guardar(&socket);
                    return Ok(socket);
                }
                Err(erro) => ultimo_erro = erro,
            }
        }
        Err(ultimo_erro)
    }

    fn enviar(&mut self, comando: &Comando) {
        let Some((socket, _)) = &self.conexao else { return };
        let mut bytes = comando.nome().to_vec();
        bytes.extend_from_slice(self.cena.fim_de_linha.bytes());
        self.usuario.vai_enviar(self.cena.inicio.elapsed());
        if let Err(erro) = (&**socket).write_all(&bytes) {
            self.caiu(&erro);
        }
    }

    /// Uma leitura, que dura no máximo até `ate`, e o que ela trouxe.
    fn ouvir(&mut self, ate: Duration) {
        let Some((socket, escuta)) = &mut self.conexao else { return };
        let ate = escuta.fim_do_silencio().map_or(ate, |silencio| silencio.min(ate));
        let falta = ate.saturating_sub(self.cena.inicio.elapsed());
        let mut bytes = [0; 1024];
        // Um prazo zero, para a std, é um erro; para nós, uma olhada rápida.
        let lido = socket
            .set_read_timeout(Some(falta.max(Duration::from_micros(1))))
            .and_then(|()| (&**socket).read(&mut bytes));
        let agora = self.cena.inicio.elapsed();
        let usuario = &mut self.usuario;
        match lido {
            Ok(0) => {
                escuta.encerrar(|quando, mensagem| usuario.recebeu(quando, mensagem));
                if !self.cena.parada.pedida() {
                    usuario.caiu(agora, Falha::Fechada);
                }
            }
            Ok(n) => {
                escuta.receber(agora, &bytes[..n], |mensagem| usuario.recebeu(agora, mensagem));
            }
            Err(erro) if erro.kind() == ErrorKind::Interrupted => {}
            Err(erro) if matches!(erro.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if escuta.fim_do_silencio().is_some_and(|fim| agora >= fim) {
                    escuta.encerrar(|quando, mensagem| usuario.recebeu(quando, mensagem));
                }
            }
            Err(erro) => self.caiu(&erro),
        }
    }

    fn caiu(&mut self, erro: &std::io::Error) {
        // Na parada somos nós que fechamos os sockets: não é falha de ninguém.
        if !self.cena.parada.pedida() {
            self.usuario.caiu(self.agora(), Falha::Quebrada(explicar(erro)));
        }
    }
}
