//! A conversa de um servidor com o etcd, como uma máquina de estados que não conhece a rede: diz o próximo
//! [pedido](Sessao::pedido), e ouve que [chegou](Sessao::chegou) a resposta, ou que se [perdeu](Sessao::perdeu).
//!
//! ```text
//!   Abrindo ─► (Criando) ─► (Revendo o último lote) ─► Tomando o caixa ─► Nada
//!
//!   Nada ─ propor ─► Lendo, se não há compras, ou não há o que vender ──────────────► Firme
//!                └─► Pedindo: "se o meu caixa ainda é o que escrevi, soma-lhe o lote" ─► Firme
//!                        │ não era
//!                        ├─ é o meu, com este lote: já tinha valido ─► Vendo como ficou ─► Firme
//!                        ├─ era, mas um pedido do lote já foi atendido ─► Relembrando ────► Repetidos
//!                        └─ é de outro processo: param-se as vendas
//! ```
//!
//! Uma resposta que não chega, ou que é um erro, quer dizer que *não se sabe*: repete-se o mesmo pedido, que só
//! pode valer uma vez, até que uma resposta diga o que aconteceu.

use protocolo::Id;

use super::chaves::{
    self, Atendido, BALANCO, Balanco, Caixa, Comprador, ENTRADAS, ESTOQUE, Entrada, UltimoLote,
    Vendidas, chave_da_entrada, chave_das_vendas, chave_do_caixa, chave_do_lote, chave_do_pedido,
};
use super::erro::Erro;
use super::etcd::{Condicao, Feito, Par, Resposta, SemResposta, Transacao};

/// O que a sessão concluiu de uma resposta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passo {
    /// O lote proposto está firme.
    Firme {
        /// Unidades à venda antes dele.
        antes: u64,
        /// A revisão do etcd em que valeu.
        revisao: u64,
        /// Vendeu a última unidade.
        esgotou: bool,
    },
    /// Valeu, e já não há como saber o que dele se vendeu.
    SemDesfecho,
    /// Não valeu, nem valerá: estes pedidos dele já tinham sido atendidos.
    Repetidos(Vec<(Id, Desfecho)>),
}

/// O que coube a um pedido atendido.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desfecho {
    /// Comprou, e sobrou isto.
    Comprou(u64),
    /// Já não havia.
    Esgotado,
    /// O etcd já esqueceu.
    Esquecido,
}

#[derive(Debug, Clone)]
enum Fazendo {
    Abrindo,
    Criando,
    Revendo(UltimoLote, u64),
    Tomando,
    Nada,
    Lendo(UltimoLote),
    Pedindo(UltimoLote),
    Vendo(UltimoLote, Caixa),
    Relembrando(Vec<Atendido>, Vec<(Id, Desfecho)>),
    Anotando,
}

/// A conversa.
#[derive(Debug)]
pub struct Sessao {
    nome: String,
    instancia: u64,
    /// Quantas unidades se pediram ao abrir.
    estoque: Option<u64>,
    /// Quanto há de haver se ninguém o diz.
    padrao: u64,
    instante: String,
    cluster: Option<u64>,
    /// A maior revisão que se viu: nunca diminui.
    revisao: u64,
    meu: Caixa,
    balanco: Balanco,
    fazendo: Fazendo,
    /// As vendas do último lote, por escrever onde se leem: vão com o lote seguinte, ou sozinhas.
    por_anotar: Option<Vendidas>,
    /// Proposto enquanto se anotava.
    espera: Option<UltimoLote>,
}

impl Sessao {
    /// Uma sessão por abrir. `estoque` é o que se pediu, e `padrao` o que se cria se ninguém pediu; `instante`,
    /// a hora, para o que se criar; `instancia`, um número que só este processo tem.
    pub fn nova(
        nome: &str,
        instancia: u64,
        estoque: Option<u64>,
        padrao: u64,
        instante: &str,
    ) -> Self {
        Sessao {
            nome: nome.to_owned(),
            instancia,
            estoque,
            padrao,
            instante: instante.to_owned(),
            cluster: None,
            revisao: 0,
            meu: Caixa::default(),
            balanco: Balanco::default(),
            fazendo: Fazendo::Abrindo,
            por_anotar: None,
            espera: None,
        }
    }

    /// Já se pode propor?
    pub fn aberta(&self) -> bool {
        !matches!(
            self.fazendo,
            Fazendo::Abrindo | Fazendo::Criando | Fazendo::Revendo(..) | Fazendo::Tomando
        )
    }

    /// O balanço, na última vez que se soube dele.
    pub fn balanco(&self) -> &Balanco {
        &self.balanco
    }

    /// A revisão em que se soube dele.
    pub fn revisao(&self) -> u64 {
        self.revisao
    }

    /// Um lote. Só se propõe outro depois de este ficar firme, ou sem desfecho.
    pub fn propor(&mut self, compradores: Vec<Comprador>, instante: &str) {
        let (sequencia, instante) = (self.meu.sequencia + 1, instante.to_owned());
        let lote = UltimoLote { sequencia, instante, compradores };
        match self.fazendo {
            Fazendo::Nada => self.comecar(lote),
            _ => self.espera = Some(lote),
        }
    }

    fn comecar(&mut self, lote: UltimoLote) {
        let so_ler = self.balanco.a_venda() == 0 && !lote.tem_pedidos();
        let so_ler = so_ler || lote.compradores.is_empty();
        self.fazendo = if so_ler { Fazendo::Lendo(lote) } else { Fazendo::Pedindo(lote) };
    }

    /// Há vendas por escrever onde se leem, e nada mais a fazer?
    pub fn falta_anotar(&self) -> bool {
        matches!(self.fazendo, Fazendo::Nada) && self.por_anotar.is_some()
    }

    /// Escreve-as já, em vez de esperar o próximo lote.
    pub fn anotar(&mut self) {
        if self.falta_anotar() {
            self.fazendo = Fazendo::Anotando;
        }
    }

    /// O que falta perguntar; o mesmo até que chegue uma resposta.
    pub fn pedido(&self) -> Option<Transacao> {
        let ler = |revisao| Feito::Ler(BALANCO.into(), revisao);
        let meu = || Condicao::EscritaEm(chave_do_caixa(&self.nome), self.meu.escrito_em);
        let anotacao = self
            .por_anotar
            .as_ref()
            .map(|vendas| Feito::Escrever(chave_das_vendas(vendas.posicao), vendas.texto()));
        Some(match &self.fazendo {
            Fazendo::Nada => return None,
            Fazendo::Abrindo => Transacao {
                entao: vec![
                    ler(None),
                    Feito::Ler(chave_do_lote(&self.nome), None),
                    Feito::Ler(ENTRADAS.into(), None),
                ],
                ..Transacao::default()
            },
            Fazendo::Criando => self.criacao(),
            Fazendo::Revendo(_, revisao) => {
                Transacao { entao: vec![ler(Some(*revisao))], ..Transacao::default() }
            }
            Fazendo::Tomando => {
                let caixa = Caixa { instancia: self.instancia, ..self.seguinte(0) };
                let tomar = Feito::Escrever(chave_do_caixa(&self.nome), caixa.texto());
                Transacao {
                    se: vec![meu()],
                    entao: [tomar].into_iter().chain(anotacao).chain([ler(None)]).collect(),
                    senao: vec![ler(None)],
                }
            }
            Fazendo::Lendo(_) => Transacao::leitura(BALANCO),
            Fazendo::Pedindo(lote) => self.pedido_do_lote(lote, anotacao),
            Fazendo::Relembrando(faltam, _) => {
                let em = faltam.last().map(|atendido| atendido.em);
                Transacao { entao: vec![ler(em)], ..Transacao::default() }
            }
            Fazendo::Vendo(_, caixa) => {
                Transacao { entao: vec![ler(Some(caixa.escrito_em))], ..Transacao::default() }
            }
            Fazendo::Anotando => {
                let vendas = self.por_anotar.as_ref()?;
                Transacao {
                    se: vec![Condicao::EscritaEm(chave_das_vendas(vendas.posicao), 0)],
                    entao: anotacao.into_iter().collect(),
                    senao: Vec::new(),
                }
            }
        })
    }

    /// Se ainda não há estoque, passa a haver.
    fn criacao(&self) -> Transacao {
        let unidades = self.estoque.unwrap_or(self.padrao);
        let inicial = Entrada { posicao: 0, unidades, instante: self.instante.clone() };
        let cluster = self.cluster.unwrap_or_default();
        Transacao {
            se: vec![Condicao::EscritaEm(ESTOQUE.into(), 0)],
            entao: vec![
                Feito::Escrever(ESTOQUE.into(), format!("{unidades} {cluster}")),
                Feito::Escrever(chave_da_entrada(0), inicial.texto()),
            ],
            senao: Vec::new(),
        }
    }

    /// Se o meu caixa ainda é o que escrevi por último, e nenhum pedido do lote foi atendido, o lote vale.
    fn pedido_do_lote(&self, lote: &UltimoLote, anotacao: Option<Feito>) -> Transacao {
        let compras = lote.compradores.len();
        let caixa = chave_do_caixa(&self.nome);
        let meu = Condicao::EscritaEm(caixa.clone(), self.meu.escrito_em);
        let somar = Feito::Escrever(caixa, self.seguinte(compras as u64).texto());
        let guardar = Feito::Escrever(chave_do_lote(&self.nome), lote.texto());
        let pedidos = || lote.pedidos().map(|(lugar, id)| (lugar, chave_do_pedido(id)));
        let novo = |(_, chave)| Condicao::EscritaEm(chave, 0);
        let atender = |(lugar, chave)| Feito::Escrever(chave, Atendido::texto(lugar, compras));
        let relembrar = pedidos().map(|(_, chave)| Feito::LerUma(chave));
        let ler = || Feito::Ler(BALANCO.into(), None);
        Transacao {
            se: [meu].into_iter().chain(pedidos().map(novo)).collect(),
            entao: [somar, guardar]
                .into_iter()
                .chain(pedidos().map(atender))
                .chain(anotacao)
                .chain([ler()])
                .collect(),
            senao: [ler()].into_iter().chain(relembrar).collect(),
        }
    }

    /// O meu caixa depois de mais um lote.
    fn seguinte(&self, compras: u64) -> Caixa {
        Caixa {
            pedidas: self.meu.pedidas.saturating_add(compras),
            sequencia: self.meu.sequencia + 1,
            ..self.meu
        }
    }

    /// Não se sabe se o pedido valeu, ou não há como ler o que se queria.
    ///
    /// Na dúvida, [`pedido`](Sessao::pedido) continua a ser o mesmo.
    pub fn perdeu(&mut self, porque: &SemResposta) -> Option<Passo> {
        if porque.em_duvida() {
            return None;
        }
        match std::mem::replace(&mut self.fazendo, Fazendo::Nada) {
            // As vendas dele podem estar por anotar, e já não se sabe quais eram.
            Fazendo::Revendo(..) => {
                self.fazendo = Fazendo::Tomando;
                None
            }
            Fazendo::Vendo(_, caixa) => {
                (self.meu, self.por_anotar) = (caixa, None);
                Some(Passo::SemDesfecho)
            }
            Fazendo::Relembrando(faltam, sabidos) => self.relembrou(faltam, sabidos, None),
            outro => {
                self.fazendo = outro;
                None
            }
        }
    }

    /// A resposta ao [`pedido`](Sessao::pedido).
    ///
    /// # Errors
    ///
    /// Não se pode mais vender deste estoque.
    pub fn chegou(&mut self, resposta: &Resposta) -> Result<Option<Passo>, Erro> {
        self.conferir_de_quem_e(resposta)?;
        match std::mem::replace(&mut self.fazendo, Fazendo::Nada) {
            Fazendo::Nada => Ok(None),
            Fazendo::Abrindo => self.abriu(resposta).map(|()| None),
            Fazendo::Criando => {
                self.fazendo = Fazendo::Abrindo;
                Ok(None)
            }
            Fazendo::Revendo(lote, _) => {
                self.por_anotar = lote.vendidas(&self.nome, &ler_balanco(resposta)?);
                self.fazendo = Fazendo::Tomando;
                Ok(None)
            }
            Fazendo::Tomando => self.tomou(resposta).map(|()| None),
            Fazendo::Lendo(lote) => self.leu(lote, resposta),
            Fazendo::Pedindo(lote) if resposta.valeu => {
                self.ficou_firme(&lote, resposta, resposta.revisao)
            }
            Fazendo::Pedindo(lote) => self.nao_valeu(lote, resposta).map(|()| None),
            Fazendo::Relembrando(faltam, sabidos) => {
                let depois = ler_balanco(resposta)?;
                Ok(self.relembrou(faltam, sabidos, Some(&depois)))
            }
            Fazendo::Vendo(lote, caixa) => self.ficou_firme(&lote, resposta, caixa.escrito_em),
            Fazendo::Anotando => {
                self.por_anotar = None;
                self.seguir();
                Ok(None)
            }
        }
    }

    fn seguir(&mut self) {
        if let Some(lote) = self.espera.take() {
            self.comecar(lote);
        }
    }

    fn conferir_de_quem_e(&mut self, resposta: &Resposta) -> Result<(), Erro> {
        if *self.cluster.get_or_insert(resposta.cluster) != resposta.cluster {
            return Err(Erro::OutroCluster);
        }
        if resposta.revisao < self.revisao {
            return Err(Erro::Voltou);
        }
        self.revisao = resposta.revisao;
        Ok(())
    }

    fn abriu(&mut self, resposta: &Resposta) -> Result<(), Erro> {
        let balanco = ler_balanco(resposta)?;
        if balanco.entradas.is_none() {
            // Nada disto existe antes do estoque: se há, apagaram-no, e criá-lo venderia outra vez.
            if !resposta.pares.is_empty() {
                return Err(Erro::Estragado(ESTOQUE.into()));
            }
            self.fazendo = Fazendo::Criando;
            return Ok(());
        }
        if balanco.cluster != resposta.cluster {
            return Err(Erro::OutroCluster);
        }
        let inicial = unidades_iniciais(&resposta.pares)?;
        if let Some(pedido) = self.estoque.filter(|pedido| *pedido != inicial) {
            return Err(Erro::OutroEstoque { pedido, inicial });
        }
        self.meu = balanco.caixas.get(&self.nome).copied().unwrap_or_default();
        self.balanco = balanco;
        let chave = chave_do_lote(&self.nome);
        let ultimo = resposta.pares.iter().find(|par| par.chave == chave);
        self.fazendo = match ultimo {
            Some(par) => {
                let lote = UltimoLote::ler(par).map_err(Erro::Estragado)?;
                // De um lote anterior ao caixa, as vendas já se anotaram.
                let por_anotar = lote.sequencia == self.meu.sequencia;
                if por_anotar { Fazendo::Revendo(lote, par.escrita_em) } else { Fazendo::Tomando }
            }
            None => Fazendo::Tomando,
        };
        Ok(())
    }

    fn tomou(&mut self, resposta: &Resposta) -> Result<(), Erro> {
        let balanco = ler_balanco(resposta)?;
        let caixa = balanco.caixas.get(&self.nome).copied().unwrap_or_default();
        // Se não valeu e não é nosso, outro com o mesmo nome abriu agora: quem abre por último fica.
        let nosso = caixa.instancia == self.instancia;
        self.fazendo = if nosso { Fazendo::Nada } else { Fazendo::Abrindo };
        if nosso {
            (self.meu, self.por_anotar) = (caixa, None);
            self.balanco = balanco;
            self.seguir();
        }
        Ok(())
    }

    fn leu(&mut self, lote: UltimoLote, resposta: &Resposta) -> Result<Option<Passo>, Erro> {
        let balanco = ler_balanco(resposta)?;
        self.conferir_o_meu(&balanco)?;
        self.balanco = balanco;
        if !lote.compradores.is_empty() && self.balanco.a_venda() > 0 {
            self.fazendo = Fazendo::Pedindo(lote);
            return Ok(None);
        }
        let (antes, revisao) = (self.balanco.a_venda(), resposta.revisao);
        Ok(Some(Passo::Firme { antes, revisao, esgotou: false }))
    }

    /// Só este processo escreve o caixa dele.
    fn conferir_o_meu(&self, balanco: &Balanco) -> Result<(), Erro> {
        match balanco.caixas.get(&self.nome) {
            Some(caixa) if caixa.instancia != self.instancia => {
                Err(Erro::Tomado(self.nome.clone()))
            }
            Some(caixa) if *caixa == self.meu => Ok(()),
            _ => Err(Erro::Estragado(chave_do_caixa(&self.nome))),
        }
    }

    /// O lote valeu em `revisao`, e o balanço desta resposta é o de logo depois.
    fn ficou_firme(
        &mut self,
        lote: &UltimoLote,
        resposta: &Resposta,
        revisao: u64,
    ) -> Result<Option<Passo>, Erro> {
        let balanco = ler_balanco(resposta)?;
        let estragado = || Erro::Estragado(chave_do_caixa(&self.nome));
        self.meu = *balanco.caixas.get(&self.nome).ok_or_else(estragado)?;
        let compras = lote.compradores.len() as u64;
        let antes = balanco.entradas.unwrap_or(0).saturating_sub(balanco.pedidas() - compras);
        self.por_anotar = lote.vendidas(&self.nome, &balanco);
        self.balanco = balanco;
        Ok(Some(Passo::Firme { antes, revisao, esgotou: antes > 0 && compras >= antes }))
    }

    /// O caixa não é o que se escreveu por último: ou este lote já tinha valido, ou há outro com este nome. Se é, há no
    /// lote pedidos já atendidos.
    fn nao_valeu(&mut self, lote: UltimoLote, resposta: &Resposta) -> Result<(), Erro> {
        let balanco = ler_balanco(resposta)?;
        let chave = || chave_do_caixa(&self.nome);
        let caixa = *balanco.caixas.get(&self.nome).ok_or_else(|| Erro::Estragado(chave()))?;
        if caixa.instancia != self.instancia {
            return Err(Erro::Tomado(self.nome.clone()));
        }
        if caixa == self.meu && lote.tem_pedidos() {
            let atendidos: Result<Vec<_>, _> =
                resposta.pares.iter().filter_map(Atendido::ler).collect();
            let atendidos = atendidos.map_err(Erro::Estragado)?;
            if !atendidos.is_empty() {
                self.fazendo = Fazendo::Relembrando(atendidos, Vec::new());
                return Ok(());
            }
        }
        let esperado = self.seguinte(lote.compradores.len() as u64);
        if (caixa.pedidas, caixa.sequencia) != (esperado.pedidas, esperado.sequencia) {
            return Err(Erro::Estragado(chave()));
        }
        self.fazendo = Fazendo::Vendo(lote, caixa);
        Ok(())
    }
}

impl Sessao {
    /// Soube-se o que coube a um dos atendidos, ou que já não há como saber.
    fn relembrou(
        &mut self,
        mut faltam: Vec<Atendido>,
        mut sabidos: Vec<(Id, Desfecho)>,
        depois: Option<&Balanco>,
    ) -> Option<Passo> {
        let atendido = faltam.pop()?;
        let desfecho = match depois.map(|depois| atendido.restante(depois)) {
            None => Desfecho::Esquecido,
            Some(None) => Desfecho::Esgotado,
            Some(Some(restante)) => Desfecho::Comprou(restante),
        };
        sabidos.push((atendido.id, desfecho));
        if faltam.is_empty() {
            return Some(Passo::Repetidos(sabidos));
        }
        self.fazendo = Fazendo::Relembrando(faltam, sabidos);
        None
    }
}

fn ler_balanco(resposta: &Resposta) -> Result<Balanco, Erro> {
    let pares = resposta.pares.iter().filter(|par| par.chave.starts_with(BALANCO));
    Balanco::ler(&pares.cloned().collect::<Vec<_>>()).map_err(Erro::Estragado)
}

fn unidades_iniciais(pares: &[Par]) -> Result<u64, Erro> {
    let chave = chaves::chave_da_entrada(0);
    let par = pares.iter().find(|par| par.chave == chave).ok_or(Erro::Estragado(chave))?;
    Ok(Entrada::ler(par).map_err(Erro::Estragado)?.unidades)
}
