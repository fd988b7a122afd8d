//! O reator: espera o sistema dizer o que aconteceu e gira o balcão. Só ele conhece o mio.
//!
//! Uma thread, um `Poll`, um laço. Os eventos só marcam conexões; quem lê, vende e responde é o
//! turno do [balcão](crate::balcao). O que aqui se aprendeu do mio e do Linux, cada um no seu lugar:
//!
//! - o epoll é por borda: um aviso por mudança, e ele só se repete depois de um `WouldBlock`;
//! - uma leitura curta esvaziou o socket, menos quando há um fim ou um byte urgente no caminho;
//! - eventos podem ser falsos ou repetidos: marcar é anotar, e anotar duas vezes não faz mal;
//! - os fechamentos que um evento menciona são palpites: quem sabe é o `read`;
//! - sem descritores livres, `accept` falha e a borda não volta: é preciso tentar de novo sozinho;
//! - `TcpListener::bind` do mio fixa a fila de espera em 128: a nossa nasce no socket2;
//! - no Linux, o que se pede ao socket que escuta (vigiar o caminho) vale para os que ele aceita.
//!
//! Nenhum erro de um cliente chega a um `?` deste arquivo; os que há são do `Poll`, do livro e da
//! abertura.

mod aceite;
mod metricas;
mod parada;
mod reposicao;

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use protocolo::terminal::explicar;

use crate::balcao::{Balcao, Contas, Limites};
use crate::conexao::Prontidao;
use crate::estoque::{Estoque, Memoria};
use crate::livro::{self, Livro};
use crate::loja::Loja;
use crate::metricas::Guardado;
use crate::partilhado::{self, Partilhado};
use crate::porta::{Onde, Porta};
use crate::registro::Registro;
use crate::reposicao::{recusa, resposta};
use aceite::Aceite;
use metricas::{Metricas, girar};
pub use parada::Parada;
use reposicao::Reposicao;

// As conexões usam as chaves do slab, que crescem do zero; estes ficam no outro extremo.
const ESCUTA: Token = Token(usize::MAX);
const ACORDADO: Token = Token(usize::MAX - 1);
const PEDIDOS: Token = Token(usize::MAX - 2);
const PEDIDO: Token = Token(usize::MAX - 3);

/// Uma conexão se registra uma vez e não muda: a prontidão que não interessa agora fica lembrada.
/// No Linux, também os bytes urgentes do TCP (o Ctrl-C de um telnet os manda).
#[cfg(any(target_os = "linux", target_os = "android"))]
const INTERESSE: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const INTERESSE: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Conexões completas à espera de `accept` que o sistema guarda para nós (`listen(2)`; o Linux
/// limita a `net.core.somaxconn`).
const FILA_DE_ESPERA: i32 = 4096;

/// Quantas conexões se aceitam por turno: uma multidão à porta não para o balcão.
const ACEITES_POR_TURNO: usize = 64;

/// Depois de um sinal, em quanto tempo o programa termina, faça o que fizer quem o segura.
const PRAZO_DO_FIM: Duration = Duration::from_secs(5);

/// Dele, quanto se dá para as respostas saírem; o resto é do registro e do console.
const PRAZO_DO_ENCERRAMENTO: Duration = Duration::from_secs(4);

/// No fim, quanto se espera um console lento escrever o que falta do registro.
const PRAZO_DO_REGISTRO: Duration = Duration::from_secs(1);

/// E quanto fica para a saída de erro dizer as contas.
const PRAZO_DAS_CONTAS: Duration = Duration::from_millis(500);

/// Quantos descritores pode ter quem lê as métricas, com a porta delas.
pub const DESCRITORES_DAS_METRICAS: usize = metricas::LUGARES + 1;

/// Um servidor aberto: escuta, sinais e balcão, prontos para o laço.
pub struct Reator {
    poll: Poll,
    /// `None` depois do primeiro sinal: fechar a porta é deixar de escutar.
    escuta: Option<TcpListener>,
    onde: Onde,
    /// Acorda o laço quando pedem a parada. Fica aqui porque, solta, o epoll esquece o toque.
    parada: Parada,
    balcao: Balcao<TcpStream>,
    registro: Registro,
    /// Quem pede que se reponha um livro aberto. Antes da guarda: sai enquanto a tranca do livro ainda é nossa.
    reposicao: Option<Reposicao>,
    /// Quem lê as métricas, com `--metricas`.
    metricas: Option<Metricas>,
    guarda: Guarda,
    aceite: Aceite,
    /// Quando vence o prazo de quem ainda ouve, e quando o programa termina; `None` antes do sinal.
    prazo_final: Option<Instant>,
    fim: Option<Instant>,
}

/// Quem guarda o estoque.
#[derive(Debug)]
pub enum Guarda {
    /// Ninguém: só existe na loja.
    Memoria,
    /// Um livro.
    Livro(Livro),
    /// Um etcd, que outros servidores também usam.
    Partilhado(Partilhado),
}

impl Guarda {
    fn prazo(&self) -> Option<Instant> {
        match self {
            Guarda::Memoria | Guarda::Livro(_) => None,
            Guarda::Partilhado(partilhado) => partilhado.prazo(),
        }
    }

    fn qual(&self) -> Guardado {
        match self {
            Guarda::Memoria => Guardado::Memoria,
            Guarda::Livro(_) => Guardado::Livro,
            Guarda::Partilhado(_) => Guardado::Partilhado,
        }
    }
}

/// Como o servidor terminou, e com que contas.
#[derive(Debug, Clone, Copy)]
pub struct Encerramento {
    /// O que passou pelo balcão.
    pub contas: Contas,
    /// Unidades vendidas.
    pub vendas: u64,
    /// Compras recusadas por falta de estoque.
    pub recusas: u64,
    /// Unidades que sobraram.
    pub estoque: u64,
    /// O que o livro diz, se há um.
    pub livro: Option<livro::Contas>,
    /// Linhas de registro que não chegaram ao destino.
    pub linhas_perdidas: u64,
    /// Quanto ainda se pode esperar o console dizer isto.
    pub resta: Duration,
}

/// O que termina o laço sem que ninguém peça.
#[derive(Debug, thiserror::Error)]
pub enum Pane {
    /// O próprio `Poll`.
    #[error("o laço de eventos parou: {}", explicar(.0))]
    Poll(io::Error),
    /// O livro não firmou as vendas de um turno. Nenhuma delas foi anunciada.
    #[error("parou de vender, e nada ficou anunciado sem estar firme: {0}")]
    Livro(#[from] livro::Erro),
    /// O estoque partilhado não se pode mais vender. Nada se anunciou sem estar firme.
    #[error("parou de vender, e nada ficou anunciado sem estar firme: {0}")]
    Partilhado(#[from] partilhado::Erro),
}

impl Pane {
    /// O que se diz no registro.
    fn causa(&self) -> String {
        match self {
            Pane::Poll(erro) => explicar(erro),
            Pane::Livro(erro) => erro.to_string(),
            Pane::Partilhado(erro) => erro.to_string(),
        }
    }
}

impl Reator {
    /// Abre a porta e prepara o laço. A porta é a que se reservou.
    ///
    /// # Errors
    ///
    /// Outro programa chegou antes à porta, ou o sistema não deu os descritores que o laço pede.
    pub fn abrir(
        reservada: Porta,
        parada: Parada,
        loja: Loja,
        limites: Limites,
        registro: Registro,
        guarda: Guarda,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        // Antes de alguém poder conectar: daqui em diante um sinal encerra em ordem.
        parada.acordar_o_laco(Waker::new(poll.registry(), ACORDADO)?);
        reservada.socket.listen(FILA_DE_ESPERA)?;
        let onde = reservada.onde()?;
        let mut escuta = TcpListener::from_std(reservada.socket.into());
        poll.registry().register(&mut escuta, ESCUTA, Interest::READABLE)?;
        if let Some(reabrir) = registro.reabridor() {
            parada.ao_reabrir(reabrir);
        }
        let fechar_escrita = |fluxo: &TcpStream| {
            // Se o outro lado já se foi, não há o que fechar.
            let _ = fluxo.shutdown(Shutdown::Write);
        };
        Ok(Reator {
            poll,
            escuta: Some(escuta),
            onde,
            parada,
            balcao: Balcao::novo(loja, limites, Instant::now(), fechar_escrita),
            registro,
            reposicao: None,
            metricas: None,
            guarda,
            aceite: Aceite::Espera,
            prazo_final: None,
            fim: None,
        })
    }

    /// Passa a atender quem pede que se reponha o livro, se há um.
    ///
    /// # Errors
    ///
    /// Não há onde: vende-se como sem isto, e só se repõe com o servidor fechado.
    pub fn atender_reposicoes(&mut self) -> io::Result<()> {
        if let Guarda::Livro(livro) = &self.guarda {
            self.reposicao =
                Some(Reposicao::abrir(livro.caminho(), self.poll.registry(), PEDIDOS)?);
        }
        Ok(())
    }

    /// Passa a mostrar as métricas nesta porta, e diz em que endereço.
    ///
    /// # Errors
    ///
    /// Outro programa chegou antes à porta, ou o sistema não deu com que escutar.
    pub fn mostrar_metricas(&mut self, reservada: Porta) -> io::Result<SocketAddr> {
        let metricas = Metricas::abrir(reservada, self.poll.registry())?;
        let endereco = metricas.endereco();
        self.metricas = Some(metricas);
        Ok(endereco)
    }

    /// Onde se escuta, com a porta que o sistema escolheu se a pedida era 0.
    pub fn onde(&self) -> Onde {
        self.onde
    }

    /// O laço. Volta depois do primeiro SIGINT ou SIGTERM, com tudo respondido ou o prazo vencido.
    ///
    /// # Errors
    ///
    /// Só os do próprio `Poll` e do livro: nada que um cliente faça termina o laço.
    pub fn atender(mut self) -> Result<Encerramento, Pane> {
        let mut eventos = Events::with_capacity(1024);
        self.anotar_a_abertura();
        loop {
            match self.poll.poll(&mut eventos, self.espera()) {
                Err(erro) if erro.kind() == ErrorKind::Interrupted => eventos.clear(),
                resultado => resultado.map_err(Pane::Poll)?,
            }
            let agora = Instant::now();
            self.marcar(&eventos, agora);
            if let Err(pane) = self.repor(agora).and_then(|()| self.turno(agora)) {
                self.registro.desistir(pane.causa(), PRAZO_DO_REGISTRO);
                return Err(pane);
            }
            // Depois do turno: quem saiu já deixou o lugar para quem chega.
            self.aceitar(agora);
            self.registro.entregar();
            // Por último: quem lê as métricas não faz ninguém esperar uma resposta.
            if let Some(metricas) = &mut self.metricas {
                let (epoll, guardado) = (self.poll.registry(), self.guarda.qual());
                metricas.atender(agora, epoll, &self.balcao, &self.registro, guardado);
            }
            if self.terminou(agora) {
                return self.fechar();
            }
        }
    }

    fn anotar_a_abertura(&mut self) {
        let estoque = self.balcao.loja().estoque();
        self.registro.anotar(self.onde.abertura(estoque));
        if let Guarda::Livro(livro) = &self.guarda {
            self.registro.anotar(format_args!("livro: {}", livro.contas()));
        }
        self.registro.entregar();
    }

    fn marcar(&mut self, eventos: &Events, agora: Instant) {
        for evento in eventos {
            match evento.token() {
                ESCUTA => self.aceite = Aceite::Agora,
                PEDIDOS => self.reposicao.iter_mut().for_each(|pedidos| pedidos.marcar(agora)),
                // Acordou o laço, que olha sempre a conversa.
                PEDIDO => {}
                ACORDADO => {
                    if self.parada.pediram() && self.prazo_final.is_none() {
                        self.encerrar(agora);
                    }
                }
                Token(token @ Metricas::ULTIMA..=Metricas::ESCUTA) => {
                    self.metricas.iter_mut().for_each(|metricas| metricas.marcar(token));
                }
                Token(chave) => self.balcao.marcar(chave, prontidao(evento)),
            }
        }
    }

    /// Entre dois turnos, no máximo um pedido: fica firme no livro, e só depois se vende e se responde.
    fn repor(&mut self, agora: Instant) -> Result<(), Pane> {
        let Some(reposicao) = &mut self.reposicao else { return Ok(()) };
        let Guarda::Livro(livro) = &mut self.guarda else { return Ok(()) };
        let Some(unidades) = reposicao.pedido(agora, self.poll.registry(), PEDIDO) else {
            return Ok(());
        };
        if let Some(erro) = livro.nao_cabe(unidades) {
            reposicao.responder(&recusa(&erro.to_string()), agora);
            return Ok(());
        }
        let contas = livro.acrescentar(unidades)?;
        self.balcao.repor(unidades, &mut self.registro);
        reposicao.responder(&resposta(contas), agora);
        Ok(())
    }

    fn turno(&mut self, agora: Instant) -> Result<(), Pane> {
        let (balcao, registro) = (&mut self.balcao, &mut self.registro);
        let medidas = self.metricas.as_mut().map(|metricas| &mut metricas.medidas);
        match &mut self.guarda {
            Guarda::Memoria => {
                let Ok(()) = girar(balcao, agora, registro, &mut Memoria, medidas);
            }
            Guarda::Livro(livro) => girar(balcao, agora, registro, livro, medidas)?,
            Guarda::Partilhado(partilhado) => girar(balcao, agora, registro, partilhado, medidas)?,
        }
        Ok(())
    }

    fn aceitar(&mut self, agora: Instant) {
        if self.aceite.vai_tentar(agora) {
            self.aceitar_ate(ACEITES_POR_TURNO, agora);
        }
    }

    /// Aceita até `maximo` conexões, ou até a porta ficar vazia.
    fn aceitar_ate(&mut self, maximo: usize, agora: Instant) {
        // De porta fechada pode restar um evento, do mesmo lote em que veio o sinal.
        let Some(escuta) = &self.escuta else { return self.aceite = Aceite::Espera };
        let (balcao, registro) = (&mut self.balcao, &mut self.registro);
        let epoll = self.poll.registry();
        self.aceite = Aceite::aceitar(maximo, agora, || {
            let (mut fluxo, de) = escuta.accept()?;
            // Respostas são pequenas e esperadas: sem Nagle. Se falhar, só demora mais.
            let _ = fluxo.set_nodelay(true);
            let token = Token(balcao.proxima_chave());
            // Sem lugar no epoll não há como atender: a conexão fecha aqui.
            if epoll.register(&mut fluxo, token, INTERESSE).is_ok() {
                let de = SocketAddr::new(de.ip().to_canonical(), de.port());
                balcao.admitir(fluxo, de, agora, registro);
            }
            Ok(())
        });
    }

    /// Quanto o `Poll` pode dormir: até o próximo prazo, ou nada se ficou trabalho para trás.
    fn espera(&self) -> Option<Duration> {
        let para_ler = self.metricas.as_ref();
        let ha_quem_leia = para_ler.is_some_and(Metricas::tem_trabalho);
        if self.balcao.tem_trabalho() || self.aceite == Aceite::Agora || ha_quem_leia {
            return Some(Duration::ZERO);
        }
        let prazos = [self.balcao.proximo_prazo(), self.aceite.prazo(), self.guarda.prazo()];
        let dos_pedidos = self.reposicao.as_ref().and_then(Reposicao::prazo);
        let das_metricas = para_ler.and_then(Metricas::prazo);
        let outros = [self.prazo_final, dos_pedidos, das_metricas];
        let proximo = prazos.into_iter().chain(outros).flatten().min()?;
        Some(proximo.saturating_duration_since(Instant::now()))
    }

    fn encerrar(&mut self, agora: Instant) {
        // Quem já estava à porta pode já ter mandado o seu pedido: entra, e só então ela fecha. Sem
        // descritores não há como: quem ainda estiver à porta ouve um reset.
        self.aceitar_ate(FILA_DE_ESPERA as usize, agora);
        self.escuta = None;
        self.reposicao = None;
        self.metricas = None;
        self.aceite = Aceite::Espera;
        self.prazo_final = Some(agora + PRAZO_DO_ENCERRAMENTO);
        self.fim = Some(agora + PRAZO_DO_FIM);
        self.balcao.encerrar();
    }

    fn terminou(&self, agora: Instant) -> bool {
        self.prazo_final.is_some_and(|prazo| self.balcao.vazio() || agora >= prazo)
    }

    fn fechar(mut self) -> Result<Encerramento, Pane> {
        self.balcao.abandonar(&mut self.registro);
        let (contas, loja) = (self.balcao.contas(), self.balcao.loja());
        let (vendas, recusas, estoque) = (loja.vendas(), loja.recusas(), loja.estoque());
        self.registro.anotar(format_args!(
            "servidor: encerrado (conexoes: {}, pico: {}, lotado: {}, lotado para o IP: {}, comandos: {}, \
             vendas: {vendas}, esgotado: {recusas}, estoque: {estoque})",
            contas.conexoes, contas.pico, contas.lotadas, contas.lotadas_para_o_ip, contas.pedidos,
        ));
        let fim = self.fim.unwrap_or_else(|| Instant::now() + PRAZO_DO_FIM);
        let resta = || fim.saturating_duration_since(Instant::now());
        let do_registro = PRAZO_DO_REGISTRO.min(resta().saturating_sub(PRAZO_DAS_CONTAS));
        Ok(Encerramento {
            contas,
            vendas,
            recusas,
            estoque,
            linhas_perdidas: self.registro.fechar(do_registro),
            livro: match self.guarda {
                Guarda::Livro(livro) => Some(livro.fechar()?),
                Guarda::Memoria | Guarda::Partilhado(_) => None,
            },
            resta: resta(),
        })
    }
}

/// O que um evento do mio diz, na língua do balcão.
///
/// Um `read` curto quer dizer que o socket secou (epoll(7)), com duas exceções: o fim que já tinha
/// chegado, que não dá outro evento, e o byte urgente, em que `read` para mesmo com dados depois
/// dele (tcp(7)). Onde o sistema não avisa do byte urgente, lê-se sempre até secar.
fn prontidao(evento: &Event) -> Prontidao {
    let fim = evento.is_read_closed() || evento.is_error();
    Prontidao {
        legivel: evento.is_readable(),
        gravavel: evento.is_writable(),
        ler_ate_secar: fim || evento.is_priority() || !INTERESSE.is_priority(),
    }
}
