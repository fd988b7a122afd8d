//! O balcão: dono das conexões e da loja, e do turno, que é a transação.
//!
//! ```text
//! evento ──► marcar       legível, gravável: só se anota
//!              │
//! turno ──►  ler          uma leitura de cada marcada, ou a sobra da anterior: o lote, em ordem
//!            colher       o que o estoque disse desde o último turno: um lote que se pode decidir
//!            propor       o estoque firma as compras do lote, na hora ou depois
//!            decidir      firme, a loja atende o lote; cada saída recebe as respostas
//!            responder    escreve a quem tem o que ouvir, AVISO incluído
//!            aliviar      se o que se guarda de todos passou do teto, saem os mais surdos
//!            vigiar       prazos vencidos; agora, e não antes de ler, para
//!                         não cobrar de um cliente o atraso do laço
//!            remover     as encerradas saem do slab, por último: nenhuma chave
//!                         troca de dono dentro de um turno
//! ```
//!
//! Nenhum byte que dependa do estoque sai antes de o lote inteiro estar firme e decidido. Essa ordem *é* a
//! prova de que o estoque está certo: quem leu "restante: 0" leu depois de todas as vendas, e o
//! comprador da última unidade tem a resposta na frente do AVISO porque foi posta na fila antes dele.
//!
//! Com um estoque que responde depois, o lote fica em voo: as suas conexões esperam, e o que as outras pedem
//! junta-se no lote seguinte. Nunca há mais de um em voo.
//!
//! O balcão não conhece o mio, nem quem guarda o [estoque](crate::estoque), não olha o relógio (recebe
//! `agora`) e não tem `Arc` nem `Mutex`.

mod filas;
mod lote;
mod lugares;
mod movimento;
mod portaria;
mod voo;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::iter::repeat_n;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocolo::mensagem::AVISO;
use protocolo::{Comando, Id, Seguidas};
use slab::Slab;

use crate::conexao::{Fim, LEITURA_POR_TURNO, Prontidao};
use crate::estoque::{Estoque, Proposta, Situacao};
use crate::loja::Loja;
use crate::registro::Registro;
use crate::saidas::Saidas;
use filas::{Filas, Posto};
use lote::{Lote, Pedido};
use lugares::Lugares;
pub use movimento::{Movimento, Tipo};

/// O trabalho de um turno não cresce além disto (mais uma conexão), contado em pedidos atendidos: as
/// conexões que sobram ficam, na ordem, para o próximo turno. É o que limita quanto um turno demora, e
/// quanta memória o lote ocupa; um turno comum tem dezenas de pedidos.
const TRABALHO_DO_TURNO: usize = 4 * 1024;

/// Quantos pedidos se juntam à espera de um lote em voo; depois, não se lê mais ninguém. É o que um estoque do
/// outro lado da rede aceita de uma vez.
const LOTE_MAXIMO: usize = 8 * 1024;

/// Quanto custa ir a uma conexão, ainda que ela nada peça: as duas chamadas ao sistema, em pedidos.
const CUSTO_DA_LEITURA: usize = 8;

/// De quanto em quanto tempo se olham os prazos; um atraso destes em 30 s não faz diferença.
const RONDA: Duration = Duration::from_secs(1);

/// A menor ronda, por menor que seja `--ocioso`: olhar todos não pode ser o trabalho do laço.
const RONDA_MINIMA: Duration = Duration::from_millis(10);

/// O que o operador pode limitar.
#[derive(Debug, Clone, Copy)]
pub struct Limites {
    /// Conexões atendidas ao mesmo tempo; a seguinte ouve `ERRO: Servidor lotado`.
    pub conexoes: usize,
    /// Destas, quantas de um mesmo IPv4 ou de uma mesma rede IPv6 (/64); a seguinte ouve `ERRO: Servidor lotado
    /// para o seu IP`. `None`, quantas couberem.
    pub por_endereco: Option<usize>,
    /// Quanto tempo uma conexão pode ficar sem mandar nada; `None`, para sempre.
    pub ocioso: Option<Duration>,
    /// Bytes guardados de todas as conexões, por dizer e por atender; acima disto, saem as mais surdas.
    pub memoria: usize,
}

/// A conta do que passou pelo balcão.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contas {
    /// Conexões atendidas.
    pub conexoes: u64,
    /// Conexões recusadas por lotação.
    pub lotadas: u64,
    /// Conexões recusadas porque do endereço delas já havia demais.
    pub lotadas_para_o_ip: u64,
    /// O máximo de conexões atendidas ao mesmo tempo.
    pub pico: usize,
    /// Pedidos atendidos, os errados inclusive.
    pub pedidos: u64,
}

/// O balcão de atendimento.
#[derive(Debug)]
pub struct Balcao<F> {
    postos: Slab<Posto<F>>,
    filas: Filas,
    loja: Loja,
    lote: Lote,
    /// Os compradores do lote, na ordem.
    compradores: Vec<SocketAddr>,
    /// Quantos PEDIDO há no lote: dos compradores, é preciso tirar os que já tiveram resposta.
    pedidos: usize,
    /// Quantos PEDIDO cabem em um lote.
    pedidos_por_lote: usize,
    /// Os compradores que têm um id, e ele.
    numerados: Vec<(usize, Id)>,
    /// O lote que o estoque ainda não disse se é firme, se há um.
    em_voo: Option<EmVoo>,
    /// Desde quando há o que propor, à espera do que está em voo.
    espera_desde: Option<Instant>,
    /// As que ninguém está usando.
    saidas: Saidas,
    /// Onde toda leitura cai, de todas as conexões: só o que sobra de uma linha é guardado.
    buffer_de_leitura: Box<[u8]>,
    limites: Limites,
    /// De quem são as conexões atendidas, se há um limite para cada um.
    lugares: Lugares,
    /// Recusados que ainda ouvem por quê.
    lotados: usize,
    proxima_ronda: Instant,
    encerrando: bool,
    /// Menos os pedidos, que estão no movimento.
    contas: Contas,
    movimento: Movimento,
    fechar_escrita: fn(&F),
}

/// Um lote proposto, à espera do estoque.
#[derive(Debug)]
struct EmVoo {
    lote: Lote,
    /// Quantas compras tem: só o estoque diz se valeram.
    compras: u64,
    desde: Instant,
}

impl<F: Read + Write> Balcao<F> {
    /// Abre o balcão. `fechar_escrita` fecha o lado de escrita de um fluxo (o `shutdown` de um
    /// socket): a std não tem um trait para isso.
    pub fn novo(loja: Loja, limites: Limites, agora: Instant, fechar_escrita: fn(&F)) -> Self {
        Balcao {
            postos: Slab::new(),
            filas: Filas::default(),
            loja,
            lote: Lote::default(),
            compradores: Vec::new(),
            pedidos: 0,
            pedidos_por_lote: usize::MAX,
            numerados: Vec::new(),
            em_voo: None,
            espera_desde: None,
            saidas: Saidas::default(),
            buffer_de_leitura: vec![0; LEITURA_POR_TURNO].into(),
            limites,
            lugares: Lugares::default(),
            lotados: 0,
            proxima_ronda: agora,
            encerrando: false,
            contas: Contas::default(),
            movimento: Movimento::default(),
            fechar_escrita,
        }
    }

    /// Anota o que um evento disse de uma conexão. Nenhuma leitura ou escrita acontece aqui. Um
    /// evento a mais, repetido ou de uma chave vazia, não faz mal.
    pub fn marcar(&mut self, chave: usize, novidade: Prontidao) {
        if let Some(posto) = self.postos.get_mut(chave) {
            posto.conexao.marcar(novidade);
            self.filas.enfileirar(chave, posto);
        }
    }

    /// O turno inteiro. O `estoque` firma as compras do lote, e só então ele se decide; o turno passa a ser
    /// a hora em que ficou firme, porque o disco pode ter demorado.
    ///
    /// # Errors
    ///
    /// O do estoque, e mais nenhum. Nada do que este turno leu foi respondido, e nada mais pode sair: o
    /// balcão só serve para ser fechado.
    pub fn turno<E: Estoque>(
        &mut self,
        agora: Instant,
        registro: &mut Registro,
        estoque: &mut E,
    ) -> Result<(), E::Pane> {
        self.pedidos_por_lote = estoque.pedidos_por_lote();
        self.ler(agora);
        self.colher(agora, registro, estoque)?;
        let firmes = self.propor(agora, registro, estoque)?;
        self.responder(firmes);
        self.aliviar();
        // Os prazos são os do começo do turno: o que chegou enquanto o disco demorava ainda não se leu.
        self.vigiar(agora);
        self.remover(registro);
        estoque.fim_do_turno();
        Ok(())
    }

    fn ler(&mut self, agora: Instant) {
        // Só quem já estava na fila: quem ainda tiver o que ler volta para o fim dela e espera o
        // próximo turno, e assim ninguém lê duas vezes antes de todos lerem uma.
        let mut trabalho = 0;
        for _ in 0..self.filas.leitura.len() {
            if trabalho >= TRABALHO_DO_TURNO || self.lote_cheio() {
                return;
            }
            let Some(chave) = self.filas.leitura.pop_front() else { return };
            let posto = &mut self.postos[chave];
            posto.na_leitura = false;
            if posto.conexao.quer_ler() {
                let (lote, compradores) = (&mut self.lote, &mut self.compradores);
                let (antes, endereco) = (lote.quantos(), posto.conexao.endereco());
                posto.conexao.ler(&mut self.buffer_de_leitura, agora, |comando, vezes| {
                    match comando {
                        Comando::Comprar => compradores.extend(repeat_n(endereco, vezes)),
                        Comando::Pedido(_) => self.pedidos += 1,
                        _ => {}
                    }
                    lote.juntar(Pedido { chave, comando, vezes });
                });
                let pedidos = self.lote.quantos() - antes;
                posto.conexao.esperar_respostas(pedidos, &mut self.saidas);
                trabalho += CUSTO_DA_LEITURA + pedidos;
            }
            if self.encerrando {
                posto.conexao.encerrar();
            }
            self.filas.enfileirar(chave, posto);
        }
    }

    /// Pergunta ao estoque pelo lote. Se ele responde na hora, decide-o, e diz quando ficou firme.
    fn propor<E: Estoque>(
        &mut self,
        agora: Instant,
        registro: &mut Registro,
        estoque: &mut E,
    ) -> Result<Instant, E::Pane> {
        if self.lote.vazio() {
            return Ok(agora);
        }
        if self.em_voo.is_some() {
            self.juntar(agora, registro);
            return Ok(agora);
        }
        if std::mem::take(&mut self.pedidos) > 0 {
            self.reconhecer(estoque)?;
        }
        let a_venda = self.loja.estoque();
        let (compradores, numerados) = (&self.compradores, &self.numerados);
        let proposta = Proposta { compradores, numerados, a_venda, agora };
        match estoque.propor(proposta)? {
            Situacao::Firme(firme) => {
                self.compradores.clear();
                self.numerados.clear();
                let mut lote = std::mem::take(&mut self.lote);
                self.decidir(agora, registro, &mut lote, firme.antes);
                self.lote = lote;
                Ok(firme.quando)
            }
            Situacao::EmVoo => {
                self.decolar(agora, registro);
                Ok(agora)
            }
        }
    }

    /// De quem fez um PEDIDO, só compra quem ainda não teve resposta: nem antes, nem a um igual na sua frente.
    fn reconhecer<E: Estoque>(&mut self, estoque: &mut E) -> Result<(), E::Pane> {
        self.compradores.clear();
        let mut novos = HashSet::new();
        for Pedido { chave, comando, vezes } in self.lote.iter() {
            match comando {
                Comando::Comprar => {}
                Comando::Pedido(id) if self.loja.conhece(id) || novos.contains(id) => continue,
                Comando::Pedido(id) => {
                    if let Some(resposta) = estoque.resposta_a(id)? {
                        self.loja.lembrar(id.clone(), resposta);
                        continue;
                    }
                    novos.insert(id);
                    self.numerados.push((self.compradores.len(), id.clone()));
                }
                _ => continue,
            }
            let endereco = self.postos[*chave].conexao.endereco();
            self.compradores.extend(repeat_n(endereco, *vezes));
        }
        Ok(())
    }

    /// Atende o lote inteiro, com `antes` unidades à venda.
    fn decidir(&mut self, agora: Instant, registro: &mut Registro, lote: &mut Lote, antes: u64) {
        self.ver(antes, registro);
        let mut pedidos = lote.esvaziar().peekable();
        while let Some(Pedido { chave, comando, mut vezes }) = pedidos.next() {
            self.movimento.pediram(&comando, vezes);
            while vezes > 0 {
                let havia = self.loja.estoque();
                let respostas = self.loja.atender_seguidos(&comando, vezes);
                vezes -= respostas.vezes();
                self.dar(agora, registro, chave, &comando, respostas);
                if havia > 0 && self.loja.estoque() == 0 {
                    self.filas.enfileirar(chave, &mut self.postos[chave]);
                    self.avisar(agora, registro);
                }
            }
            // Os pedidos de uma conexão vêm juntos: depois do último, as filas.
            if pedidos.peek().is_none_or(|outro| outro.chave != chave) {
                self.filas.enfileirar(chave, &mut self.postos[chave]);
            }
        }
        drop(pedidos);
        self.loja.esquecer_os_antigos();
    }

    /// Põe as respostas na saída de quem pediu, que ainda tem de entrar nas filas.
    #[inline]
    fn dar(
        &mut self,
        agora: Instant,
        registro: &mut Registro,
        chave: usize,
        pedido: &Comando,
        respostas: Seguidas,
    ) {
        let conexao = &mut self.postos[chave].conexao;
        registro.pedidos(conexao.endereco(), pedido, respostas);
        conexao.anexar(agora, |saida| respostas.escrever(saida));
        if let Some(fim) = Fim::depois_de(pedido) {
            conexao.despedir(fim);
        }
    }

    /// O estoque acaba de esgotar: todos que ainda ouvem ficam sabendo, depois da resposta que cada
    /// um já tem na fila.
    fn avisar(&mut self, agora: Instant, registro: &mut Registro) {
        let mut ouvintes = 0;
        let linha = format!("{AVISO}\n");
        for (chave, posto) in &mut self.postos {
            if posto.conexao.ouve_avisos() {
                ouvintes += 1;
                posto.conexao.anexar(agora, |saida| saida.extend_from_slice(linha.as_bytes()));
                self.filas.enfileirar(chave, posto);
            }
        }
        self.movimento.avisou(ouvintes);
        registro.aviso(ouvintes);
    }

    fn responder(&mut self, agora: Instant) {
        for _ in 0..self.filas.escrita.len() {
            let Some(chave) = self.filas.escrita.pop_front() else { return };
            let posto = &mut self.postos[chave];
            posto.na_escrita = false;
            posto.conexao.escrever(agora, self.fechar_escrita, &mut self.saidas);
            self.filas.enfileirar(chave, posto);
        }
    }

    /// Guarda-se mais do que o teto: saem os mais surdos, até sobrar um oitavo dele. A folga é para que
    /// escolher, que anda por todas as conexões, não se repita a cada turno.
    fn aliviar(&mut self) {
        let teto = self.limites.memoria;
        if self.filas.guardados <= teto {
            return;
        }
        let vivas = self.postos.iter().filter(|(_, posto)| posto.conexao.encerrada().is_none());
        let que_guardam = vivas.filter(|(_, posto)| posto.conexao.guardados() > 0);
        let ordem = |(chave, posto): (usize, &Posto<F>)| (posto.conexao.ordem_de_sair(), chave);
        let mut candidatas: Vec<_> = que_guardam.map(ordem).collect();
        candidatas.sort_unstable();
        for (_, chave) in candidatas {
            if self.filas.guardados <= teto - teto / 8 {
                return;
            }
            let posto = &mut self.postos[chave];
            posto.conexao.cortar();
            self.filas.enfileirar(chave, posto);
        }
    }

    fn vigiar(&mut self, agora: Instant) {
        if agora < self.proxima_ronda {
            return;
        }
        self.proxima_ronda = agora + self.passo_da_ronda();
        for (chave, posto) in &mut self.postos {
            posto.conexao.vigiar(agora, self.limites.ocioso);
            self.filas.enfileirar(chave, posto);
        }
    }

    /// Entraram unidades no estoque, já firmes, entre dois turnos. Quando elas acabarem, o AVISO sai outra vez.
    pub fn repor(&mut self, unidades: u64, registro: &mut Registro) {
        self.ver(self.loja.estoque().saturating_add(unidades), registro);
    }

    /// Quem guarda o estoque diz que há isto à venda: mais do que se sabia, se alguém repôs.
    fn ver(&mut self, a_venda: u64, registro: &mut Registro) {
        let havia = self.loja.estoque();
        if a_venda > havia {
            registro.reposto(havia, a_venda);
        }
        self.loja.ver(a_venda);
    }

    /// Ficou algo para o próximo turno? Então não se espera evento nenhum.
    pub fn tem_trabalho(&self) -> bool {
        // Com o lote cheio, à espera do que está em voo, ler não é trabalho: é esperar.
        !self.filas.leitura.is_empty() && !self.lote_cheio() || !self.filas.escrita.is_empty()
    }

    fn lote_cheio(&self) -> bool {
        self.lote.quantos() >= LOTE_MAXIMO || self.pedidos >= self.pedidos_por_lote
    }

    /// Quando o balcão quer um turno mesmo que nada aconteça.
    pub fn proximo_prazo(&self) -> Option<Instant> {
        let ronda = (!self.postos.is_empty()).then_some(self.proxima_ronda);
        [ronda, self.prazo_do_voo()].into_iter().flatten().min()
    }

    /// Quantos bytes as conexões guardam, somadas.
    pub fn guardados(&self) -> usize {
        self.filas.guardados
    }

    /// Não há mais ninguém?
    pub fn vazio(&self) -> bool {
        self.postos.is_empty()
    }

    /// Conexões atendidas agora (as recusadas por lotação não contam).
    pub fn ativas(&self) -> usize {
        self.postos.len() - self.lotados
    }

    /// O que passou pelo balcão até agora.
    pub fn contas(&self) -> Contas {
        Contas { pedidos: self.movimento.pedidos(), ..self.contas }
    }

    /// O mesmo, por tipo.
    pub fn movimento(&self) -> &Movimento {
        &self.movimento
    }

    /// O que o operador limitou.
    pub fn limites(&self) -> Limites {
        self.limites
    }

    /// A loja deste balcão.
    pub fn loja(&self) -> &Loja {
        &self.loja
    }

    fn passo_da_ronda(&self) -> Duration {
        self.limites.ocioso.map_or(RONDA, |ocioso| (ocioso / 4).clamp(RONDA_MINIMA, RONDA))
    }
}
