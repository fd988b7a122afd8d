//! A sessão: leva um usuário por um socket de verdade, com um relógio de verdade.
//!
//! É a parte da §6 do enunciado: a mesma thread manda comandos e ouve avisos, porque toda espera com
//! conexão é uma leitura com prazo, nunca um sono cego. O que fazer é o usuário quem diz; aqui não se
//! decide nada.

mod sondagem;
mod visita;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use protocolo::Comando;
use protocolo::terminal::explicar;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::conversa::escuta::{Escuta, Estilo};
use crate::conversa::fim_de_linha::FimDeLinha;
use crate::conversa::parada::Parada;
use crate::historia::guarda::{Guarda, LOTE};
use crate::historia::vivido::{Falha, Historia};
use crate::multidao::evento::{Canal, Evento};
use crate::multidao::painel::Placar;
use crate::multidao::usuario::{Passo, Usuario};

pub use visita::visitar;

/// Quanto se espera uma conexão se completar, por endereço: tempo para o sistema repetir algumas vezes
/// um pedido perdido (tcp(7), `tcp_syn_retries`).
const PRAZO_DA_CONEXAO: Duration = Duration::from_secs(10);

/// Enquanto o servidor não abre, de quanto em quanto tempo se tenta de novo.
const ENTRE_TENTATIVAS: Duration = Duration::from_millis(100);

/// Com o prazo vencido, ainda se lê o que já estava no socket e se espera a mensagem pela metade
/// terminar, mas só por tantas leituras: um servidor que fala sem parar não segura o usuário.
const LEITURAS_ATRASADAS: u32 = 64;

/// O que todas as sessões têm em comum.
pub struct Contexto {
    /// O instante zero de todas as histórias.
    pub inicio: Instant,
    /// Onde está o servidor; um nome pode ter vários endereços.
    pub enderecos: Vec<SocketAddr>,
    /// Até quando, desde o início, um servidor que recusa conexões pode só estar abrindo.
    pub espera: Duration,
    /// O que vai depois de cada comando, e quando se soube. Se não se pediu nenhum, a primeira sessão o
    /// descobre, e as outras esperam por ela.
    pub fim_de_linha: OnceLock<(FimDeLinha, Duration)>,
    /// Se o painel mostra cada troca de mensagens e cada falha.
    pub detalhado: bool,
    /// As contas que o painel mostra.
    pub placar: Placar,
    /// O pedido de parada.
    pub parada: Arc<Parada>,
    /// Onde as histórias longas entregam o que já viveram.
    pub guarda: Mutex<Guarda>,
    /// Com que palavras este servidor responde, aprendido por todos.
    pub estilo: Estilo,
}

impl Contexto {
    fn agora(&self) -> Duration {
        self.inicio.elapsed()
    }
}

/// Vive a sessão de um usuário, do começo ao fim, e devolve a sua história. `chegar` dá o usuário, que
/// chega depois do instante que se lhe diz: o que a multidão gastou até saber como falar com o servidor.
pub fn viver(
    numero: usize,
    chegar: impl Fn(Duration) -> Usuario,
    contexto: &Contexto,
    canal: Canal,
) -> Historia {
    let nova = |usuario, fim_de_linha| {
        let canal = canal.clone();
        Sessao { numero, usuario, contexto, canal, fim_de_linha, conexao: None, atrasadas: 0 }
    };
    let mut ja_conversa = None;
    let descobrir = || {
        // Quem descobre não espera a sua vez de chegar: os outros é que esperam por ele.
        let (achado, sessao) = sondagem::descobrir(|fim| nova(chegar(Duration::ZERO), fim));
        if achado != FimDeLinha::Lf {
            let _ = canal.send((numero, contexto.agora(), Evento::FimDeLinha(achado)));
        }
        ja_conversa = Some(sessao);
        (achado, contexto.agora())
    };
    let (fim_de_linha, desde) = *contexto.fim_de_linha.get_or_init(descobrir);
    ja_conversa.unwrap_or_else(|| nova(chegar(desde), fim_de_linha)).viver()
}

struct Sessao<'a> {
    numero: usize,
    usuario: Usuario,
    contexto: &'a Contexto,
    canal: Canal,
    fim_de_linha: FimDeLinha,
    conexao: Option<(Arc<TcpStream>, Escuta)>,
    /// Leituras seguidas que ainda trouxeram algo com o prazo já vencido.
    atrasadas: u32,
}

impl Sessao<'_> {
    fn viver(mut self) -> Historia {
        loop {
            if self.contexto.parada.pedida() {
                self.usuario.interromper(self.contexto.agora());
            }
            if let Some(quando) = self.contexto.placar.esgotou() {
                self.usuario.soube_que_esgotou(quando);
            }
            match self.usuario.avancar(self.contexto.agora()) {
                Passo::Ausentar(ate) => {
                    self.conexao = None;
                    self.contexto.parada.dormir(ate.saturating_sub(self.contexto.agora()));
                }
                Passo::Conectar => self.conectar(),
                Passo::Enviar(comando) => self.enviar(&comando),
                Passo::Ouvir(ate) => self.ouvir(ate),
                Passo::Terminar => break,
            }
            self.anotar_os_eventos();
            if let Some(quando) = self.usuario.viu_esgotar() {
                self.contexto.placar.viu_esgotar(quando);
            }
            if let Some(lote) = self.usuario.entregar(LOTE) {
                let guarda = self.contexto.guarda.lock();
                guarda.unwrap_or_else(PoisonError::into_inner).receber(self.numero, lote);
            }
        }
        self.conexao = None;
        self.anotar_os_eventos();
        self.usuario.historia(self.contexto.agora())
    }

    fn anotar_os_eventos(&mut self) {
        for evento in self.usuario.eventos() {
            self.contexto.placar.anotar(&evento);
            let mostra_se = match evento {
                Evento::Aviso(_) => true,
                Evento::Troca(..) | Evento::Falhou(_) => self.contexto.detalhado,
                _ => false,
            };
            if mostra_se {
                // Se o painel já se foi, ninguém mais quer saber.
                let _ = self.canal.send((self.numero, self.contexto.agora(), evento));
            }
        }
    }

    fn conectar(&mut self) {
        self.conexao = None;
        loop {
            let tentativa = self.tentar_conectar();
            if self.contexto.parada.pedida() {
                return;
            }
            match tentativa {
                Ok(socket) => {
                    self.usuario.conectou(self.contexto.agora());
                    self.conexao = Some((socket, Escuta::default()));
                    return;
                }
                Err(erro)
                    if erro.kind() == ErrorKind::ConnectionRefused
                        && !self.usuario.ja_conectou()
                        && self.contexto.agora() < self.contexto.espera =>
                {
                    let _ =
                        self.canal.send((self.numero, self.contexto.agora(), Evento::Esperando));
                    self.contexto.parada.dormir(ENTRE_TENTATIVAS);
                }
                Err(erro) => {
                    return self
                        .usuario
                        .caiu(self.contexto.agora(), Falha::SemConexao(explicar(&erro)));
                }
            }
        }
    }

    fn tentar_conectar(&self) -> io::Result<Arc<TcpStream>> {
        let mut ultimo_erro = io::Error::from(ErrorKind::AddrNotAvailable);
        for endereco in &self.contexto.enderecos {
            match conectar(&self.contexto.parada, *endereco, PRAZO_DA_CONEXAO) {
                Ok(socket) => return Ok(socket),
                // Um endereço que recusa é um servidor que pode abrir; outro erro não o desmente.
                Err(_) if ultimo_erro.kind() == ErrorKind::ConnectionRefused => {}
                Err(erro) => ultimo_erro = erro,
            }
        }
        Err(ultimo_erro)
    }

    fn enviar(&mut self, comando: &Comando) {
        let Some((socket, escuta)) = &mut self.conexao else { return };
        let mut bytes = comando.nome().to_vec();
        bytes.extend_from_slice(self.fim_de_linha.bytes());
        self.usuario.vai_enviar(self.contexto.agora());
        escuta.pediu(*comando == Comando::Comprar);
        if let Err(erro) = (&**socket).write_all(&bytes) {
            self.caiu(&erro);
        }
    }

    /// Uma leitura, que dura no máximo até `ate`, e o que ela trouxe.
    fn ouvir(&mut self, ate: Duration) {
        let Some((socket, escuta)) = &mut self.conexao else { return };
        // Uma mensagem pela metade tem o direito de terminar, ainda que o prazo vença antes.
        let limite = escuta.fim_do_silencio().unwrap_or(ate);
        let antes = self.contexto.agora();
        let mut bytes = [0; 1024];
        let lido = ler(socket, limite.saturating_sub(antes), &mut bytes);
        let agora = self.contexto.agora();
        let usuario = &mut self.usuario;
        let estilo = &self.contexto.estilo;
        self.atrasadas = if antes >= ate && lido.is_ok() { self.atrasadas + 1 } else { 0 };
        match lido {
            Ok(0) => {
                escuta.fim(estilo).into_iter().for_each(|ouvida| usuario.ouviu(ouvida));
                if !self.contexto.parada.pedida() {
                    usuario.caiu(agora, Falha::Fechada);
                }
            }
            Ok(n) => {
                let ouvidas = escuta.receber(agora, &bytes[..n], estilo);
                ouvidas.into_iter().for_each(|ouvida| usuario.ouviu(ouvida));
            }
            Err(erro) if erro.kind() == ErrorKind::Interrupted => {}
            Err(erro) if matches!(erro.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if escuta.fim_do_silencio().is_some() {
                    escuta
                        .calou(agora, estilo)
                        .into_iter()
                        .for_each(|ouvida| usuario.ouviu(ouvida));
                } else {
                    // O socket estava vazio em `ate`; do que veio depois, este não sabe.
                    usuario.nada_chegou(ate.max(antes));
                }
            }
            Err(erro) => return self.caiu(&erro),
        }
        if self.atrasadas > LEITURAS_ATRASADAS {
            self.usuario.nada_chegou(agora);
        }
    }

    fn caiu(&mut self, erro: &io::Error) {
        // Na parada somos nós que fechamos os sockets: não é falha de ninguém.
        if !self.contexto.parada.pedida() {
            self.usuario.caiu(self.contexto.agora(), Falha::Quebrada(explicar(erro)));
        }
    }
}

/// Conecta, esperando no máximo `prazo`. O socket fica na parada *antes*: nem um servidor que não completa
/// a conexão prende quem apertou Ctrl-C.
pub(crate) fn conectar(
    parada: &Parada,
    endereco: SocketAddr,
    prazo: Duration,
) -> io::Result<Arc<TcpStream>> {
    let socket = Socket::new(Domain::for_address(endereco), Type::STREAM, Some(Protocol::TCP))?;
    let socket = Arc::new(TcpStream::from(socket));
    parada.guardar(&socket);
    if parada.pedida() {
        return Err(ErrorKind::Interrupted.into());
    }
    SockRef::from(&*socket).connect_timeout(&endereco.into(), prazo)?;
    // Comandos são pequenos e esperados: sem Nagle. Se falhar, só demora mais.
    let _ = socket.set_nodelay(true);
    Ok(socket)
}

/// Lê, esperando no máximo `espera`.
pub(crate) fn ler(mut socket: &TcpStream, espera: Duration, bytes: &mut [u8]) -> io::Result<usize> {
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
    use crate::multidao::roteiro::{Regras, Roteiro};
    use crate::multidao::usuario::Usuario;
    use crate::opcoes::Faixa;
    use std::sync::mpsc;

    /// Onde `localhost` tem mais de um endereço e só um deles é do servidor que ainda vai abrir.
    #[test]
    fn um_endereco_impossivel_nao_esconde_o_que_ainda_pode_abrir() {
        let fechada = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        fechada.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let recusa = fechada.local_addr().unwrap().as_socket().unwrap();
        // O endereço de difusão não aceita TCP: falha de outro jeito, em qualquer máquina.
        let impossivel = SocketAddr::from(([255, 255, 255, 255], 1));
        for enderecos in [vec![recusa, impossivel], vec![impossivel, recusa]] {
            let contexto = Contexto {
                inicio: Instant::now(),
                enderecos,
                espera: Duration::ZERO,
                fim_de_linha: OnceLock::from((FimDeLinha::Lf, Duration::ZERO)),
                detalhado: false,
                placar: Placar::default(),
                parada: Arc::default(),
                guarda: Mutex::new(Guarda::nova(1, LOTE, None)),
                estilo: Estilo::default(),
            };
            let fixa = |valor| Faixa { de: valor, ate: valor };
            let regras = Regras {
                semente: 1,
                ciclos: Faixa { de: 1, ate: 1 },
                decisao: fixa(Duration::ZERO),
                escuta: fixa(Duration::ZERO),
                acelerar: 1.0,
            };
            let usuario = |chegada| Usuario::novo(1, Roteiro::novo(regras, 1), chegada, false);
            let historia = viver(1, usuario, &contexto, mpsc::channel().0);
            let [(_, falha)] = &historia.falhas[..] else { panic!("{historia:?}") };
            assert_eq!(*falha, Falha::SemConexao("conexão recusada".into()));
        }
    }
}
