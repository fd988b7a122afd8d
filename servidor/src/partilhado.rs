//! Um estoque, vários servidores (`--partilhado`): cada um com o seu laço e os seus clientes, e o estoque em um
//! etcd, que o guarda em três máquinas ou mais e decide a ordem das compras.
//!
//! ```text
//!   laço ── Partilhado ──► sessao      o que falta perguntar, e o que se conclui da resposta: sem rede
//!               │             └► chaves, etcd    o que se guarda, e como se pede
//!               └────────► fio         as threads que esperam, e acordam o laço
//!                             └► gateway         HTTP
//!   main ── extrato, repor ─► gateway
//! ```
//!
//! O lote vai inteiro em uma transação, e volta com quantas unidades havia antes dele: é quanto basta para o
//! turno o decidir. Enquanto ele vai e volta, o laço atende os outros, e o que pedem junta-se no lote seguinte.
//!
//! O que não se promete: vender sem a maioria do etcd, justiça exata entre servidores, sigilo entre eles e o etcd.

mod chaves;
mod erro;
pub mod etcd;
mod extrato;
mod fio;
mod gateway;
pub mod reposicao;
mod sessao;

use std::fmt;
use std::time::{Duration, Instant};

use protocolo::ESTOQUE_PADRAO;
use protocolo::terminal::hora_do_relogio;

pub use chaves::{Balanco, Comprador, UltimoLote, Vendidas};
pub use erro::Erro;
use etcd::SemResposta;
pub use extrato::{Extrato, Falha, extrair};
use fio::{Fio, Observador, Visto};
pub use gateway::Gateway;
pub use reposicao::repor;
pub use sessao::{Desfecho, Passo, Sessao};

use protocolo::Resposta;

use crate::estoque::{Alcance, Estoque, Firme, Noticia, Proposta, Situacao};

/// Quanto se tenta abrir.
const PRAZO_DE_ABRIR: Duration = Duration::from_secs(8);

/// Quanto o etcd pode demorar antes de se dizer que está fora de alcance.
const DEMORA_DEMAIS: Duration = Duration::from_secs(1);

/// Uma transação do etcd faz até 128 coisas (`--max-txn-ops`), e cada pedido com id é uma. Um lote tem no máximo isto
/// e os de mais uma conexão.
const PEDIDOS_POR_LOTE: usize = 56;

/// O que se soube do estoque ao abrir.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contas {
    /// Compras já atendidas por todos os servidores.
    pub vendidas: u64,
    /// Unidades à venda.
    pub restantes: u64,
    /// Quantos servidores já venderam dele, este inclusive.
    pub servidores: usize,
}

/// `7 vendidas, 3 à venda, 2 servidores`
impl fmt::Display for Contas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contas { vendidas, restantes, servidores } = self;
        write!(f, "{vendidas} vendidas, {restantes} à venda, {servidores} servidor(es)")
    }
}

/// Um estoque repartido, aberto por um servidor, e ainda sem laço.
#[derive(Debug)]
pub struct Aberto {
    gateway: Gateway,
    sessao: Sessao,
    nome: String,
    instancia: u64,
    contas: Contas,
}

impl Aberto {
    /// Abre o estoque, ou cria-o com `estoque` unidades ([`ESTOQUE_PADRAO`] se ninguém disse).
    ///
    /// # Errors
    ///
    /// O etcd não responde ou não tem maioria, o que lá está não é nosso, ou começou com outra quantidade.
    pub fn abrir(urls: &str, nome: &str, estoque: Option<u64>) -> Result<Self, Erro> {
        let mut gateway = Gateway::novo(urls)?;
        let instancia = instancia();
        let mut sessao = Sessao::nova(nome, instancia, estoque, ESTOQUE_PADRAO, &agora());
        let limite = Instant::now() + PRAZO_DE_ABRIR;
        while let Some(pedido) = sessao.pedido().filter(|_| !sessao.aberta()) {
            match gateway.pedir(&pedido) {
                Ok(resposta) => drop(sessao.chegou(&resposta)?),
                Err(porque) => {
                    sessao.perdeu(&porque);
                    // O lugar não volta sozinho.
                    if porque == SemResposta::SemLugar || Instant::now() >= limite {
                        return Err(Erro::sem_resposta(&gateway, &porque));
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
        let vendidas = extrato::vendidas(&mut gateway)?;
        let balanco = sessao.balanco();
        let (restantes, servidores) = (balanco.a_venda(), balanco.caixas.len());
        let contas = Contas { vendidas, restantes, servidores };
        Ok(Aberto { gateway, sessao, nome: nome.to_owned(), instancia, contas })
    }

    /// O que se soube do estoque.
    pub fn contas(&self) -> Contas {
        self.contas
    }

    /// Passa a falar com o etcd de lado; `acordar` acorda o laço, uma vez para cada thread.
    ///
    /// # Errors
    ///
    /// O sistema não deu as threads.
    pub fn ligar(self, acordar: [fio::Acordar; 2]) -> Result<Partilhado, Erro> {
        let observador = Observador {
            nome: self.nome.clone(),
            instancia: self.instancia,
            balanco: self.sessao.balanco().clone(),
            revisao: self.sessao.revisao(),
        };
        let fio = Fio::abrir(self.gateway, observador, acordar)?;
        Ok(Partilhado {
            nome: self.nome,
            sessao: self.sessao,
            fio,
            pedido_em: None,
            em_voo: false,
            avisado_ate: 0,
            sem_lugar: false,
            alcance: Alcance::Responde,
        })
    }
}

/// Um estoque repartido, com um laço.
#[derive(Debug)]
pub struct Partilhado {
    nome: String,
    sessao: Sessao,
    fio: Fio,
    /// Desde quando se espera a resposta a um pedido; repetir não o muda.
    pedido_em: Option<Instant>,
    /// Há um lote proposto.
    em_voo: bool,
    /// Até que revisão os esgotamentos já se disseram.
    avisado_ate: u64,
    /// Desde a última resposta, disse alguma vez que não tinha lugar.
    sem_lugar: bool,
    /// O que por último se disse dele.
    alcance: Alcance,
}

impl Partilhado {
    /// O estoque disse alguma coisa, ou não vai dizer.
    fn ouvir(&mut self) -> Result<Option<Passo>, Erro> {
        while let Some(resposta) = self.fio.resposta() {
            let passo = match resposta {
                Ok(resposta) => {
                    self.respondeu();
                    self.sessao.chegou(&resposta)?
                }
                Err(porque) => {
                    self.sem_lugar |= porque == SemResposta::SemLugar;
                    if !porque.em_duvida() {
                        self.respondeu();
                    }
                    self.sessao.perdeu(&porque)
                }
            };
            if passo.is_some() {
                self.em_voo = false;
                return Ok(passo);
            }
            self.perguntar();
        }
        Ok(None)
    }

    /// Leva ao etcd o que falta perguntar.
    fn perguntar(&mut self) {
        if let Some(pedido) = self.sessao.pedido() {
            self.pedido_em.get_or_insert_with(Instant::now);
            self.fio.levar(pedido);
        }
    }

    fn respondeu(&mut self) {
        (self.pedido_em, self.sem_lugar) = (None, false);
    }

    fn alcance(&mut self) -> Option<Noticia> {
        let responde = self.pedido_em.is_none_or(|desde| desde.elapsed() < DEMORA_DEMAIS);
        let alcance = match (responde, self.sem_lugar) {
            (true, _) => Alcance::Responde,
            (false, true) => Alcance::SemLugar,
            (false, false) => Alcance::Cala,
        };
        let mudou = std::mem::replace(&mut self.alcance, alcance) != alcance;
        mudou.then_some(Noticia::Alcance(alcance))
    }
}

impl Estoque for Partilhado {
    type Pane = Erro;

    fn colher(&mut self) -> Result<Option<Noticia>, Erro> {
        match self.ouvir()? {
            Some(Passo::Firme { antes, revisao, esgotou }) => {
                if esgotou {
                    self.avisado_ate = self.avisado_ate.max(revisao);
                }
                return Ok(Some(Noticia::Firme(Firme { antes, quando: Instant::now() })));
            }
            Some(Passo::SemDesfecho) => return Ok(Some(Noticia::SemDesfecho)),
            Some(Passo::Repetidos(atendidos)) => {
                let resposta = |desfecho| match desfecho {
                    Desfecho::Comprou(restante) => Resposta::Compra { restante },
                    Desfecho::Esgotado => Resposta::Esgotado,
                    Desfecho::Esquecido => Resposta::PedidoAntigo,
                };
                let respostas = atendidos.into_iter().map(|(id, d)| (id, resposta(d)));
                return Ok(Some(Noticia::Repetidos(respostas.collect())));
            }
            None => {}
        }
        // Com um lote em voo, o comprador da última unidade pode ser nosso, e ouve a resposta dele primeiro.
        while let Some(visto) = (!self.em_voo).then(|| self.fio.visto()).flatten() {
            match visto {
                Visto::Tomado => return Err(Erro::Tomado(self.nome.clone())),
                Visto::Esgotou(revisao) if revisao > self.avisado_ate => {
                    self.avisado_ate = revisao;
                    return Ok(Some(Noticia::Esgotou));
                }
                Visto::Esgotou(_) => {}
            }
        }
        Ok(self.alcance())
    }

    fn propor(&mut self, proposta: Proposta<'_>) -> Result<Situacao, Erro> {
        let anotava = self.sessao.pedido().is_some();
        let mut compradores: Vec<Comprador> =
            proposta.compradores.iter().copied().map(Comprador::from).collect();
        for (lugar, id) in proposta.numerados {
            if let Some(comprador) = compradores.get_mut(*lugar) {
                comprador.id = Some(id.clone());
            }
        }
        self.sessao.propor(compradores, &agora());
        self.em_voo = true;
        if !anotava {
            self.perguntar();
        }
        Ok(Situacao::EmVoo)
    }

    fn pedidos_por_lote(&self) -> usize {
        PEDIDOS_POR_LOTE
    }

    fn fim_do_turno(&mut self) {
        if self.sessao.falta_anotar() {
            self.sessao.anotar();
            self.perguntar();
        }
    }

    fn prazo(&self) -> Option<Instant> {
        let responde = self.alcance == Alcance::Responde;
        self.pedido_em.filter(|_| responde).map(|desde| desde + DEMORA_DEMAIS)
    }
}

/// A hora, como vai ao etcd.
fn agora() -> String {
    humantime::format_rfc3339_millis(hora_do_relogio()).to_string()
}

/// Um número que dois processos não têm: o sistema sorteia a semente de cada mapa.
fn instancia() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) | 1
}
