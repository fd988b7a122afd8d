//! O balcão: dono das conexões e da loja, e do turno, que é a transação.
//!
//! ```text
//! evento ──► marcar       legível, gravável: só se anota
//!              │
//! turno ──►  ler          uma leitura de cada marcada, ou a sobra da anterior: o lote, em ordem
//!            decidir      a loja atende o lote; cada saída recebe as respostas
//!            firmar       o que se vendeu fica firme no livro, se há um
//!            responder    escreve a quem tem o que ouvir, AVISO incluído
//!            aliviar      se o que se guarda de todos passou do teto, saem os mais surdos
//!            vigiar       prazos vencidos; agora, e não antes de ler, para
//!                         não cobrar de um cliente o atraso do laço
//!            remover     as encerradas saem do slab, por último: nenhuma chave
//!                         troca de dono dentro de um turno
//! ```
//!
//! Nenhum byte que dependa do estoque sai antes de o lote inteiro estar decidido e firme. Essa ordem *é* a
//! prova de que o estoque está certo: quem leu "restante: 0" leu depois de todas as vendas, e o
//! comprador da última unidade tem a resposta na frente do AVISO porque foi posta na fila antes dele.
//!
//! O balcão não conhece o mio nem o livro (recebe quem firma), não olha o relógio (recebe `agora`) e
//! não tem `Arc` nem `Mutex`.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocolo::mensagem::AVISO;
use protocolo::{Comando, Resposta};
use slab::Slab;

use crate::conexao::{Conexao, Fim, LEITURA_POR_TURNO, Prontidao};
use crate::loja::{Loja, Venda};
use crate::registro::Registro;

/// O trabalho de um turno não cresce além disto (mais uma conexão), contado em pedidos atendidos: as
/// conexões que sobram ficam, na ordem, para o próximo turno. É o que limita quanto um turno demora, e
/// quanta memória o lote ocupa; um turno comum tem dezenas de pedidos.
const TRABALHO_DO_TURNO: usize = 4 * 1024;

/// Quanto custa ir a uma conexão, ainda que ela nada peça: as duas chamadas ao sistema, em pedidos.
const CUSTO_DA_LEITURA: usize = 8;

/// De quanto em quanto tempo se olham os prazos; um atraso destes em 30 s não faz diferença.
const RONDA: Duration = Duration::from_secs(1);

/// A menor ronda, por menor que seja `--ocioso`: olhar todos não pode ser o trabalho do laço.
const RONDA_MINIMA: Duration = Duration::from_millis(10);

/// Quantos dos que não couberam podem estar, ao mesmo tempo, recebendo a explicação.
const LOTADOS_AO_MESMO_TEMPO: usize = 64;

/// O que o operador pode limitar.
#[derive(Debug, Clone, Copy)]
pub struct Limites {
    /// Conexões atendidas ao mesmo tempo; a seguinte ouve `ERRO: Servidor lotado`.
    pub conexoes: usize,
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
    lote: Vec<(usize, Comando)>,
    /// O que se vendeu no turno, na ordem.
    vendas: Vec<Venda>,
    /// Onde toda leitura cai, de todas as conexões: só o que sobra de uma linha é guardado.
    buffer_de_leitura: Box<[u8]>,
    limites: Limites,
    lotados: usize,
    proxima_ronda: Instant,
    encerrando: bool,
    contas: Contas,
    fechar_escrita: fn(&F),
}

/// Uma conexão no slab e em que filas ela está.
#[derive(Debug)]
struct Posto<F> {
    conexao: Conexao<F>,
    /// A parte desta conexão em [`Filas::guardados`].
    guardava: usize,
    na_leitura: bool,
    na_escrita: bool,
    na_remocao: bool,
}

/// Quem tem o que fazer, por etapa do turno, e quanto todas guardam. Cada chave aparece no máximo uma vez
/// em cada fila.
#[derive(Debug, Default)]
struct Filas {
    leitura: VecDeque<usize>,
    escrita: VecDeque<usize>,
    remocao: VecDeque<usize>,
    /// Bytes de memória que as conexões ocupam, somadas: nunca se anda por todas para saber.
    guardados: usize,
}

impl Filas {
    /// Depois de mexer em uma conexão: entra nas filas que o estado dela pede, e a conta a acompanha.
    fn enfileirar<F: Read + Write>(&mut self, chave: usize, posto: &mut Posto<F>) {
        let guarda = posto.conexao.guardados();
        self.guardados = self.guardados - std::mem::replace(&mut posto.guardava, guarda) + guarda;
        if !posto.na_leitura && posto.conexao.quer_ler() {
            posto.na_leitura = true;
            self.leitura.push_back(chave);
        }
        if !posto.na_escrita && posto.conexao.quer_escrever() {
            posto.na_escrita = true;
            self.escrita.push_back(chave);
        }
        if !posto.na_remocao && posto.conexao.encerrada().is_some() {
            posto.na_remocao = true;
            self.remocao.push_back(chave);
        }
    }
}

impl<F: Read + Write> Balcao<F> {
    /// Abre o balcão. `fechar_escrita` fecha o lado de escrita de um fluxo (o `shutdown` de um
    /// socket): a std não tem um trait para isso.
    pub fn novo(loja: Loja, limites: Limites, agora: Instant, fechar_escrita: fn(&F)) -> Self {
        Balcao {
            postos: Slab::new(),
            filas: Filas::default(),
            loja,
            lote: Vec::new(),
            vendas: Vec::new(),
            buffer_de_leitura: vec![0; LEITURA_POR_TURNO].into(),
            limites,
            lotados: 0,
            proxima_ronda: agora,
            encerrando: false,
            contas: Contas::default(),
            fechar_escrita,
        }
    }

    /// A chave que terá a conexão do próximo [`Balcao::admitir`]: quem espera eventos dela precisa
    /// saber antes.
    pub fn proxima_chave(&self) -> usize {
        self.postos.vacant_key()
    }

    /// Recebe uma conexão nova, ou a recusa com uma explicação se a casa está cheia.
    pub fn admitir(
        &mut self,
        fluxo: F,
        endereco: SocketAddr,
        agora: Instant,
        registro: &mut Registro,
    ) {
        let mut conexao = Conexao::nova(fluxo, endereco, agora);
        if self.ativas() >= self.limites.conexoes {
            self.contas.lotadas += 1;
            registro.desconectou(endereco, Fim::Lotado, b"");
            conexao.anexar(agora, |saida| Resposta::Lotado.escrever(saida));
            conexao.despedir(Fim::Lotado);
            if self.lotados == LOTADOS_AO_MESMO_TEMPO {
                // Nem para explicar há lugar: diz uma vez e fecha.
                return conexao.escrever(agora, self.fechar_escrita);
            }
            self.lotados += 1;
            self.inserir(conexao);
        } else {
            self.inserir(conexao);
            self.contas.conexoes += 1;
            self.contas.pico = self.contas.pico.max(self.ativas());
            registro.conectou(endereco, self.ativas());
        }
    }

    fn inserir(&mut self, conexao: Conexao<F>) {
        let posto =
            Posto { conexao, guardava: 0, na_leitura: false, na_escrita: false, na_remocao: false };
        let chave = self.postos.insert(posto);
        self.filas.enfileirar(chave, &mut self.postos[chave]);
    }

    /// Anota o que um evento disse de uma conexão. Nenhuma leitura ou escrita acontece aqui. Um
    /// evento a mais, repetido ou de uma chave vazia, não faz mal.
    pub fn marcar(&mut self, chave: usize, novidade: Prontidao) {
        if let Some(posto) = self.postos.get_mut(chave) {
            posto.conexao.marcar(novidade);
            self.filas.enfileirar(chave, posto);
        }
    }

    /// O turno inteiro. `firmar` recebe as vendas dele, se as há, e só volta com elas seguras, dizendo que
    /// horas são: o disco pode ter demorado. Uma resposta que dependa delas só sai depois.
    ///
    /// # Errors
    ///
    /// O de `firmar`, e mais nenhum. Nada do que este turno decidiu saiu, e nada mais pode sair: o
    /// balcão só serve para ser fechado.
    pub fn turno<E>(
        &mut self,
        agora: Instant,
        registro: &mut Registro,
        firmar: impl FnOnce(&[Venda]) -> Result<Instant, E>,
    ) -> Result<(), E> {
        self.ler(agora);
        self.decidir(agora, registro);
        let firmes = self.firmar(agora, firmar)?;
        self.responder(firmes);
        self.aliviar();
        // Os prazos são os do começo do turno: o que chegou enquanto o disco demorava ainda não se leu.
        self.vigiar(agora);
        self.remover(registro);
        Ok(())
    }

    fn ler(&mut self, agora: Instant) {
        // Só quem já estava na fila: quem ainda tiver o que ler volta para o fim dela e espera o
        // próximo turno, e assim ninguém lê duas vezes antes de todos lerem uma.
        let mut trabalho = 0;
        for _ in 0..self.filas.leitura.len() {
            if trabalho >= TRABALHO_DO_TURNO {
                return;
            }
            let Some(chave) = self.filas.leitura.pop_front() else { return };
            let posto = &mut self.postos[chave];
            posto.na_leitura = false;
            if posto.conexao.quer_ler() {
                let lote = &mut self.lote;
                let antes = lote.len();
                posto
                    .conexao
                    .ler(&mut self.buffer_de_leitura, agora, |pedido| lote.push((chave, pedido)));
                let pedidos = self.lote.len() - antes;
                posto.conexao.esperar_respostas(pedidos);
                trabalho += CUSTO_DA_LEITURA + pedidos;
            }
            if self.encerrando {
                posto.conexao.encerrar();
            }
            self.filas.enfileirar(chave, posto);
        }
    }

    fn decidir(&mut self, agora: Instant, registro: &mut Registro) {
        let mut lote = std::mem::take(&mut self.lote);
        self.contas.pedidos += lote.len() as u64;
        for (chave, pedido) in lote.drain(..) {
            let resposta = self.loja.atender(&pedido);
            let posto = &mut self.postos[chave];
            registro.pedido(posto.conexao.endereco(), &pedido, resposta);
            posto.conexao.anexar(agora, |saida| resposta.escrever(saida));
            if let Some(fim) = Fim::depois_de(&pedido) {
                posto.conexao.despedir(fim);
            }
            self.filas.enfileirar(chave, posto);
            if let Resposta::Compra { restante } = resposta {
                self.vendas.push(Venda { endereco: posto.conexao.endereco(), restante });
                if restante == 0 {
                    self.avisar(agora, registro);
                }
            }
        }
        self.lote = lote;
    }

    fn firmar<E>(
        &mut self,
        agora: Instant,
        firmar: impl FnOnce(&[Venda]) -> Result<Instant, E>,
    ) -> Result<Instant, E> {
        if self.vendas.is_empty() {
            return Ok(agora);
        }
        let firmes = firmar(&self.vendas)?;
        self.vendas.clear();
        Ok(firmes)
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
        registro.aviso(ouvintes);
    }

    fn responder(&mut self, agora: Instant) {
        for _ in 0..self.filas.escrita.len() {
            let Some(chave) = self.filas.escrita.pop_front() else { return };
            let posto = &mut self.postos[chave];
            posto.na_escrita = false;
            posto.conexao.escrever(agora, self.fechar_escrita);
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

    fn remover(&mut self, registro: &mut Registro) {
        for _ in 0..self.filas.remocao.len() {
            let Some(chave) = self.filas.remocao.pop_front() else { return };
            let posto = &mut self.postos[chave];
            posto.na_remocao = false;
            // Uma chave só troca de dono quando nenhuma fila a guarda: esta ainda passa por `ler`.
            let Some(fim) = posto.conexao.encerrada().filter(|_| !posto.na_leitura) else {
                continue;
            };
            let Posto { conexao, guardava, .. } = self.postos.remove(chave);
            self.filas.guardados -= guardava;
            if fim == Fim::Lotado {
                self.lotados -= 1;
            } else {
                registro.desconectou(conexao.endereco(), fim, conexao.inacabada());
            }
        }
    }

    /// O servidor vai fechar: cada conexão ainda lê o que já chegou, responde e se despede.
    ///
    /// Todas são marcadas como legíveis, ainda que não sejam: assim cada uma passa por `ler`, e é lá
    /// que se sabe que o socket secou e que a despedida pode começar. Até secar: um byte urgente cujo
    /// evento ainda não veio corta uma leitura no meio do que já chegou.
    pub fn encerrar(&mut self) {
        self.encerrando = true;
        for (chave, posto) in &mut self.postos {
            posto.conexao.marcar(Prontidao { ler_ate_secar: true, ..Prontidao::default() });
            self.filas.enfileirar(chave, posto);
        }
    }

    /// O prazo de fechar venceu: o registro diz quem ficou para trás.
    pub fn abandonar(&mut self, registro: &mut Registro) {
        self.filas.leitura.clear();
        for (chave, posto) in &mut self.postos {
            posto.na_leitura = false;
            posto.conexao.abandonar();
            self.filas.enfileirar(chave, posto);
        }
        self.remover(registro);
    }

    /// Ficou algo para o próximo turno? Então não se espera evento nenhum.
    pub fn tem_trabalho(&self) -> bool {
        !self.filas.leitura.is_empty() || !self.filas.escrita.is_empty()
    }

    /// Quando o balcão quer um turno mesmo que nada aconteça.
    pub fn proximo_prazo(&self) -> Option<Instant> {
        (!self.postos.is_empty()).then_some(self.proxima_ronda)
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
        self.contas
    }

    /// A loja deste balcão.
    pub fn loja(&self) -> &Loja {
        &self.loja
    }

    fn passo_da_ronda(&self) -> Duration {
        self.limites.ocioso.map_or(RONDA, |ocioso| (ocioso / 4).clamp(RONDA_MINIMA, RONDA))
    }
}
