//! A sessão: leva um usuário por um socket de verdade, com um relógio de verdade.
//!
//! É a parte da §6 do enunciado: a mesma thread manda comandos e ouve avisos, porque toda espera com
//! conexão é uma leitura com prazo, nunca um sono cego. O que fazer é o usuário quem diz; aqui não se
//! decide nada.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use protocolo::Comando;
use protocolo::terminal::explicar;

use crate::conversa::escuta::Estilo;
use crate::conversa::fim_de_linha::FimDeLinha;
use crate::conversa::ligacao::{Chegada, Ligacao, PRAZO_DA_CONEXAO};
use crate::conversa::parada::Parada;
use crate::historia::guarda::{Guarda, LOTE};
use crate::historia::vivido::{Falha, Historia};
use crate::multidao::evento::{Canal, Evento};
use crate::multidao::fila::{Entrega, Fila};
use crate::multidao::painel::Placar;
use crate::multidao::usuario::pedidos::Recusa;
use crate::multidao::usuario::{Passo, Usuario};

/// Enquanto o servidor não abre, de quanto em quanto tempo se tenta de novo.
const ENTRE_TENTATIVAS: Duration = Duration::from_millis(100);

/// Com o prazo vencido, ainda se lê o que já estava no socket e se espera a mensagem pela metade
/// terminar, mas só por tantas leituras: um servidor que fala sem parar não segura o usuário.
const LEITURAS_ATRASADAS: u32 = 64;

/// No laço aberto, quanto antes da hora se deixa de esperar lendo: o prazo de uma leitura se arredonda ao passo do
/// relógio do sistema, até 10 ms, e um pedido que partisse atrasado pareceria demora do servidor. O que chegar nesse
/// tempo lê-se logo depois.
const PASSO_DO_SISTEMA: Duration = Duration::from_millis(10);

/// O que todas as sessões têm em comum.
pub struct Contexto {
    /// O instante zero de todas as histórias.
    pub inicio: Instant,
    /// Onde está cada servidor, pela ordem em que se disseram; um nome pode ter vários endereços.
    pub enderecos: Vec<Vec<SocketAddr>>,
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
    /// O que se soube do primeiro PEDIDO: se o servidor não o conhece, não há por que continuar.
    pub recusou_pedidos: OnceLock<Option<Recusa>>,
    /// As chegadas, no laço aberto.
    pub fila: Option<Fila>,
    /// Com que palavras este servidor responde, aprendido por todos.
    pub estilo: Estilo,
}

impl Contexto {
    /// Quanto passou desde o começo.
    pub fn agora(&self) -> Duration {
        self.inicio.elapsed()
    }
}

/// A sessão de um usuário, com a ligação que tem agora.
pub(super) struct Sessao<'a> {
    numero: usize,
    pub(super) usuario: Usuario,
    pub(super) contexto: &'a Contexto,
    canal: Canal,
    fim_de_linha: FimDeLinha,
    pub(super) ligacao: Option<Ligacao>,
    /// Leituras seguidas que ainda trouxeram algo com o prazo já vencido.
    atrasadas: u32,
    /// Já disse à fila que está pronto.
    pronto: bool,
}

impl<'a> Sessao<'a> {
    /// A sessão de um usuário que ainda não conectou.
    pub(super) fn nova(
        numero: usize,
        usuario: Usuario,
        contexto: &'a Contexto,
        canal: Canal,
        fim_de_linha: FimDeLinha,
    ) -> Self {
        Sessao {
            numero,
            usuario,
            contexto,
            canal,
            fim_de_linha,
            ligacao: None,
            atrasadas: 0,
            pronto: false,
        }
    }

    /// Vive até o fim, e devolve a história.
    pub(super) fn viver(mut self) -> Historia {
        loop {
            if self.contexto.parada.pedida() {
                self.usuario.interromper(self.contexto.agora());
            }
            if let Some(quando) = self.contexto.placar.esgotou() {
                self.usuario.soube_que_esgotou(quando);
            }
            self.olhar_a_fila();
            match self.usuario.avancar(self.contexto.agora()) {
                Passo::Ausentar(ate) => {
                    self.ligacao = None;
                    self.dizer_que_esta_pronto();
                    self.contexto.parada.dormir(ate.saturating_sub(self.contexto.agora()));
                }
                Passo::Conectar => self.conectar(),
                Passo::Enviar(comando) => self.enviar(&comando),
                Passo::Ouvir(ate) => self.ouvir(ate),
                Passo::OuvirAteAHora(quando) => self.ouvir_ate_a_hora(quando),
                Passo::Receber => self.receber(),
                Passo::Terminar => break,
            }
            self.ver_se_aceita_pedidos();
            self.anotar_os_eventos();
            if let Some(quando) = self.usuario.viu_esgotar() {
                self.contexto.placar.viu_esgotar(quando);
            }
            if let Some(lote) = self.usuario.entregar(LOTE) {
                let guarda = self.contexto.guarda.lock();
                guarda.unwrap_or_else(PoisonError::into_inner).receber(self.numero, lote);
            }
        }
        self.ligacao = None;
        self.dizer_que_esta_pronto();
        self.anotar_os_eventos();
        self.usuario.historia(self.contexto.agora())
    }

    /// A primeira resposta a um PEDIDO, de qualquer usuário, diz se o servidor sabe o que ele é; e também a falta de
    /// todas.
    fn ver_se_aceita_pedidos(&self) {
        if self.contexto.recusou_pedidos.get().is_some() {
            return;
        }
        let Some(recepcao) = self.usuario.recepcao_do_pedido() else { return };
        if self.contexto.recusou_pedidos.get_or_init(|| recepcao.err()).is_some() {
            self.contexto.parada.pedir();
        }
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

    pub(super) fn conectar(&mut self) {
        self.ligacao = None;
        loop {
            let tentativa = self.tentar_conectar();
            if self.contexto.parada.pedida() {
                return;
            }
            match tentativa {
                Ok(ligacao) => {
                    self.usuario.conectou(self.contexto.agora());
                    self.ligacao = Some(ligacao);
                    return;
                }
                Err(erro)
                    if erro.kind() == ErrorKind::ConnectionRefused
                        && !self.usuario.ja_conectou()
                        && self.contexto.agora() < self.contexto.espera =>
                {
                    let esperando = Evento::Esperando(self.usuario.servidor());
                    let _ = self.canal.send((self.numero, self.contexto.agora(), esperando));
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

    fn tentar_conectar(&self) -> io::Result<Ligacao> {
        let mut ultimo_erro = io::Error::from(ErrorKind::AddrNotAvailable);
        for endereco in self.contexto.enderecos.get(self.usuario.servidor()).into_iter().flatten() {
            match Ligacao::abrir(&self.contexto.parada, *endereco, PRAZO_DA_CONEXAO) {
                Ok(ligacao) => return Ok(ligacao),
                // Um endereço que recusa é um servidor que pode abrir; outro erro não o desmente.
                Err(_) if ultimo_erro.kind() == ErrorKind::ConnectionRefused => {}
                Err(erro) => ultimo_erro = erro,
            }
        }
        Err(ultimo_erro)
    }

    pub(super) fn enviar(&mut self, comando: &Comando) {
        let Some(ligacao) = &mut self.ligacao else { return };
        let agora = self.contexto.agora();
        if let (Some(fila), Some(vez)) = (&self.contexto.fila, self.usuario.vez()) {
            fila.enviou(vez, agora);
        }
        self.usuario.vai_enviar(agora);
        if let Err(erro) = ligacao.pedir(comando, self.fim_de_linha) {
            self.caiu(self.contexto.agora(), Some(erro));
        }
    }

    /// Uma leitura, que dura no máximo até `ate`, e o que ela trouxe.
    pub(super) fn ouvir(&mut self, ate: Duration) {
        let Some(ligacao) = &mut self.ligacao else { return };
        let antes = self.contexto.agora();
        let chegada = ligacao.ouvir(self.contexto.inicio, ate, &self.contexto.estilo);
        let agora = self.contexto.agora();
        let atrasada = antes >= ate && matches!(chegada, Chegada::Bytes(_));
        self.atrasadas = if atrasada { self.atrasadas + 1 } else { 0 };
        let (ouvidas, fim) = match chegada {
            Chegada::Bytes(ouvidas) | Chegada::Silencio(ouvidas) => (ouvidas, None),
            // O socket estava vazio em `ate`; do que veio depois, este não sabe.
            Chegada::Nada => return self.usuario.nada_chegou(ate.max(antes)),
            Chegada::Fim(ouvidas, erro) => (ouvidas, Some(erro)),
        };
        ouvidas.into_iter().for_each(|ouvida| self.usuario.ouviu(ouvida));
        if let Some(erro) = fim {
            return self.caiu(agora, erro);
        }
        if self.atrasadas > LEITURAS_ATRASADAS {
            self.usuario.nada_chegou(agora);
        }
    }

    /// Ouve até a hora marcada de um pedido, que tem de partir nela.
    fn ouvir_ate_a_hora(&mut self, quando: Duration) {
        let falta = quando.saturating_sub(self.contexto.agora());
        if falta > PASSO_DO_SISTEMA {
            return self.ouvir(quando - PASSO_DO_SISTEMA);
        }
        thread::sleep(falta);
        self.ouvir(quando);
    }

    /// No laço aberto, devolve a chegada que não pôde levar, e vê se ainda há outras.
    fn olhar_a_fila(&mut self) {
        let Some(fila) = &self.contexto.fila else { return };
        if let Some(quando) = self.usuario.devolver() {
            fila.devolver(quando);
        }
        let agora = self.contexto.agora();
        if fila.acabou(agora) {
            self.usuario.acabaram_as_chegadas(agora);
        }
    }

    /// Livre: recebe a próxima chegada.
    fn receber(&mut self) {
        self.dizer_que_esta_pronto();
        let Some(fila) = &self.contexto.fila else { return };
        let agora = self.contexto.agora();
        match fila.pegar(agora) {
            Entrega::Ainda(ate) => self.ouvir(ate),
            Entrega::Vez(vez) => self.usuario.atender(vez),
            Entrega::Acabou => self.usuario.acabaram_as_chegadas(agora),
        }
    }

    fn dizer_que_esta_pronto(&mut self) {
        if let (Some(fila), false) = (&self.contexto.fila, self.pronto) {
            self.pronto = true;
            fila.pronto();
        }
    }

    /// A conexão terminou: sem erro, foi o servidor quem a fechou.
    fn caiu(&mut self, agora: Duration, erro: Option<io::Error>) {
        // Na parada somos nós que fechamos os sockets: não é falha de ninguém.
        if !self.contexto.parada.pedida() {
            let falha = erro.map_or(Falha::Fechada, |erro| Falha::Quebrada(explicar(&erro)));
            self.usuario.caiu(agora, falha);
        }
    }
}
