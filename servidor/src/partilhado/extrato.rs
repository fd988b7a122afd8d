//! O extrato de um estoque repartido: cada venda, na ordem, vendesse quem vendesse, e se as contas fecham.
//!
//! Só lê, e tudo na mesma revisão do etcd: o que se vender enquanto se mostra não aparece. As vendas leem-se às
//! páginas. O que um servidor caiu sem escrever se deduz do último lote dele.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::vec::IntoIter;

use protocolo::terminal::{explicar, inofensivo};
use serde::Serialize;

use super::chaves::{
    BALANCO, Balanco, ENTRADAS, Entrada, LOTES, UltimoLote, VENDAS, Vendidas, chave_das_vendas,
};
use super::erro::Erro;
use super::etcd::{CHAVES_POR_PAGINA, Feito, SemResposta, Transacao, fim_do_prefixo};
use super::gateway::Gateway;
use crate::extrato::{Forma, Resumo};

/// Por que o extrato parou no meio.
#[derive(Debug, thiserror::Error)]
pub enum Falha {
    /// O estoque não se deixa ler.
    #[error(transparent)]
    Estoque(#[from] Erro),
    /// A saída não aceita mais nada.
    #[error("não posso escrever: {}", explicar(.0))]
    Saida(#[from] io::Error),
}

/// O que se concluiu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extrato {
    /// Unidades com que se começou.
    pub inicial: u64,
    /// Unidades acrescentadas.
    pub repostas: u64,
    /// Unidades vendidas.
    pub vendidas: u64,
    /// Unidades à venda.
    pub restantes: u64,
    /// O que não fecha; `None` se tudo fecha.
    pub dano: Option<String>,
}

/// O estoque em uma revisão.
struct Retrato {
    gateway: Gateway,
    revisao: u64,
    balanco: Balanco,
    /// As unidades que entraram, na ordem; a primeira é o estoque inicial.
    entradas: Vec<Entrada>,
    /// As vendas que quem vendeu ainda não escreveu, pela posição.
    por_anotar: BTreeMap<u64, Vendidas>,
    /// Servidores de cujo último lote já não se sabe o que vendeu.
    esquecidos: Vec<String>,
}

#[derive(Serialize)]
struct UmaVenda<'a> {
    numero: u64,
    instante: &'a str,
    servidor: &'a str,
    endereco: String,
    restante: u64,
    /// O id com que foi pedida, se foi com um PEDIDO.
    pedido: Option<&'a str>,
}

#[derive(Serialize)]
struct UmaEntrada<'a> {
    instante: &'a str,
    unidades: u64,
}

#[derive(Serialize)]
struct Documento<'a> {
    formato: u32,
    estoque: String,
    integro: bool,
    dano: Option<&'a str>,
    inicial: u64,
    repostas: u64,
    vendidas: u64,
    restantes: u64,
    entradas: Vec<UmaEntrada<'a>>,
}

/// Quantas unidades já se venderam: o que entrou, menos o que há à venda.
pub(super) fn vendidas(gateway: &mut Gateway) -> Result<u64, Erro> {
    let retrato = Retrato::tirar(gateway.clone())?;
    Ok(retrato.unidades().saturating_sub(retrato.balanco.a_venda()))
}

/// Escreve o extrato em `saida` e diz o que se concluiu.
///
/// # Errors
///
/// O etcd não responde, o que lá está não é nosso, ou `saida` falhou.
pub fn extrair(urls: &str, forma: Forma, saida: &mut impl Write) -> Result<Extrato, Falha> {
    let mut retrato = Retrato::tirar(Gateway::novo(urls)?)?;
    let extrato = retrato.conferir()?;
    match forma {
        Forma::Tabela => tabela(saida, &mut retrato, &extrato)?,
        Forma::Resumo => resumir(saida, &mut retrato, &extrato)?,
        Forma::Csv => planilha(saida, &mut retrato)?,
        Forma::Json => documento(saida, &mut retrato, &extrato)?,
    }
    saida.flush()?;
    Ok(extrato)
}

impl Retrato {
    fn tirar(mut gateway: Gateway) -> Result<Self, Erro> {
        let ler = |prefixo: &str| Feito::Ler(prefixo.into(), None);
        let tudo = [BALANCO, ENTRADAS, LOTES].map(ler).to_vec();
        let lido = insistir(&mut gateway, &Transacao { entao: tudo, ..Transacao::default() })?;
        let de = |prefixo: &str| {
            let pares = lido.pares.iter().filter(|par| par.chave.starts_with(prefixo));
            pares.cloned().collect::<Vec<_>>()
        };
        let balanco = Balanco::ler(&de(BALANCO)).map_err(Erro::Estragado)?;
        if balanco.entradas.is_none() {
            return Err(Erro::SemEstoque);
        }
        let entradas: Result<Vec<_>, _> = de(ENTRADAS).iter().map(Entrada::ler).collect();
        let entradas = entradas.map_err(Erro::Estragado)?;
        let (por_anotar, esquecidos) = (BTreeMap::new(), Vec::new());
        let revisao = lido.revisao;
        let mut retrato = Retrato { gateway, revisao, balanco, entradas, por_anotar, esquecidos };
        for par in de(LOTES) {
            retrato.deduzir(&par)?;
        }
        Ok(retrato)
    }

    /// O último lote de um servidor pode não estar entre as vendas: deduz-se do balanço logo depois dele.
    fn deduzir(&mut self, par: &super::etcd::Par) -> Result<(), Erro> {
        let lote = UltimoLote::ler(par).map_err(Erro::Estragado)?;
        let nome = par.chave.strip_prefix(LOTES).unwrap_or_default().to_owned();
        let depois = Transacao {
            entao: vec![Feito::Ler(BALANCO.into(), Some(par.escrita_em))],
            ..Transacao::default()
        };
        match self.gateway.pedir(&depois) {
            Ok(resposta) => {
                let balanco = Balanco::ler(&resposta.pares).map_err(Erro::Estragado)?;
                let vendidas = lote.vendidas(&nome, &balanco);
                self.por_anotar.extend(vendidas.map(|vendidas| (vendidas.posicao, vendidas)));
            }
            Err(_) => self.esquecidos.push(nome),
        }
        Ok(())
    }

    fn unidades(&self) -> u64 {
        self.entradas.iter().fold(0, |soma, entrada| soma.saturating_add(entrada.unidades))
    }

    /// As contas, e a primeira coisa que não fecha.
    fn conferir(&mut self) -> Result<Extrato, Erro> {
        let inicial = self.entradas.first().map_or(0, |entrada| entrada.unidades);
        let (unidades, restantes) = (self.unidades(), self.balanco.a_venda());
        let (mut vendidas, mut livre, mut dano) = (0, 1, None);
        let niveis: Vec<u64> =
            self.entradas.iter().map(|entrada| entrada.posicao + entrada.unidades).collect();
        for lote in self.vendas() {
            let lote = lote?;
            let quantas = lote.compradores.len() as u64;
            if lote.posicao < livre {
                dano.get_or_insert(format!(
                    "a unidade da posição {} foi vendida duas vezes",
                    lote.posicao
                ));
            }
            if !niveis.contains(&(lote.posicao - 1 + lote.antes)) || quantas > lote.antes {
                dano.get_or_insert(format!(
                    "na posição {} vendeu-se o que não havia",
                    lote.posicao
                ));
            }
            livre = livre.max(lote.posicao + quantas);
            vendidas += quantas;
        }
        if dano.is_none() && vendidas + restantes != unidades {
            let esquecidos = self.esquecidos.join(", ");
            dano = Some(if esquecidos.is_empty() {
                format!("entraram {unidades}, e há {vendidas} vendidas e {restantes} à venda")
            } else {
                format!(
                    "não se sabe o que vendeu o último lote de {esquecidos}, que o etcd já esqueceu (compactação)"
                )
            });
        }
        Ok(Extrato { inicial, repostas: unidades - inicial, vendidas, restantes, dano })
    }

    /// Todas as vendas, na ordem.
    fn vendas(&mut self) -> Vendas<'_> {
        Vendas {
            de: VENDAS.into(),
            lidas: Vec::new().into_iter(),
            acabou: false,
            por_anotar: self.por_anotar.clone(),
            proxima: None,
            retrato: self,
        }
    }
}

/// As vendas escritas e as deduzidas, na ordem das posições.
struct Vendas<'a> {
    de: String,
    lidas: IntoIter<Vendidas>,
    acabou: bool,
    por_anotar: BTreeMap<u64, Vendidas>,
    proxima: Option<Vendidas>,
    retrato: &'a mut Retrato,
}

impl Vendas<'_> {
    fn escrita(&mut self) -> Result<Option<Vendidas>, Erro> {
        if self.lidas.len() == 0 && !self.acabou {
            let pagina =
                Feito::Pagina(self.de.clone(), fim_do_prefixo(VENDAS), self.retrato.revisao);
            let pagina = Transacao { entao: vec![pagina], ..Transacao::default() };
            let lido = insistir(&mut self.retrato.gateway, &pagina)?;
            self.acabou = lido.pares.len() < CHAVES_POR_PAGINA;
            let lidas: Result<Vec<_>, _> = lido.pares.iter().map(Vendidas::ler).collect();
            let lidas = lidas.map_err(Erro::Estragado)?;
            if let Some(ultima) = lidas.last() {
                self.de = chave_das_vendas(ultima.posicao + 1);
            }
            self.lidas = lidas.into_iter();
        }
        Ok(self.lidas.next())
    }
}

impl Iterator for Vendas<'_> {
    type Item = Result<Vendidas, Erro>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.proxima.is_none() {
            match self.escrita() {
                Ok(proxima) => self.proxima = proxima,
                Err(erro) => {
                    (self.acabou, self.lidas) = (true, Vec::new().into_iter());
                    self.por_anotar.clear();
                    return Some(Err(erro));
                }
            }
        }
        let posicao = self.proxima.as_ref().map_or(u64::MAX, |vendidas| vendidas.posicao);
        // Uma que já está escrita não se deduz.
        self.por_anotar.remove(&posicao);
        match self.por_anotar.first_entry() {
            Some(deduzida) if *deduzida.key() < posicao => Some(Ok(deduzida.remove())),
            _ => self.proxima.take().map(Ok),
        }
    }
}

/// Pergunta a cada membro, umas vezes.
fn insistir(gateway: &mut Gateway, transacao: &Transacao) -> Result<super::etcd::Resposta, Erro> {
    let mut ultimo = SemResposta::Compactada;
    for _ in 0..2 * gateway.quantos() {
        match gateway.pedir(transacao) {
            Ok(resposta) => return Ok(resposta),
            Err(porque) => ultimo = porque,
        }
    }
    Err(Erro::sem_resposta(gateway, &ultimo))
}

/// Cada venda do lote, com o número e o que restou.
fn uma_a_uma(
    numero: &mut u64,
    lote: &Vendidas,
    mut ver: impl FnMut(UmaVenda<'_>) -> io::Result<()>,
) -> io::Result<()> {
    for (comprador, restante) in lote.compradores.iter().zip((0..lote.antes).rev()) {
        *numero += 1;
        ver(UmaVenda {
            numero: *numero,
            instante: &lote.instante,
            servidor: &lote.servidor,
            endereco: comprador.endereco.to_string(),
            restante,
            pedido: comprador.id.as_ref().map(|id| id.texto()),
        })?;
    }
    Ok(())
}

fn tabela(saida: &mut impl Write, retrato: &mut Retrato, extrato: &Extrato) -> Result<(), Falha> {
    writeln!(saida, "Estoque em {}\n", retrato.gateway.urls())?;
    let titulos = ["venda", "instante", "servidor", "endereço", "restante"];
    let [venda, instante, servidor, endereco, restante] = titulos;
    writeln!(saida, "{venda:>9}  {instante:24}  {servidor:12}  {endereco:>21}  {restante:>9}")?;
    let mut entradas = retrato.entradas.clone().into_iter().peekable();
    let (mut numero, mut primeira) = (0, true);
    let mut entrar = |saida: &mut dyn Write, entrada: Entrada| {
        let nome = if std::mem::take(&mut primeira) { "estoque inicial" } else { "reposição" };
        let Entrada { instante, unidades, .. } = entrada;
        writeln!(
            saida,
            "{:>9}  {instante:24}  {:12}  {nome:>21}  {:>9}",
            "",
            "",
            format!("+{unidades}")
        )
    };
    for lote in retrato.vendas() {
        let lote = lote?;
        while let Some(entrada) = entradas.next_if(|entrada| entrada.posicao < lote.posicao) {
            entrar(saida, entrada)?;
        }
        uma_a_uma(&mut numero, &lote, |venda| {
            let UmaVenda { numero, instante, servidor, endereco, restante, pedido } = venda;
            let pedido = pedido.map(|id| format!("  pedido {id}")).unwrap_or_default();
            writeln!(
                saida,
                "{numero:>9}  {instante:24}  {servidor:12}  {endereco:>21}  {restante:>9}{pedido}"
            )
        })?;
    }
    for entrada in entradas {
        entrar(saida, entrada)?;
    }
    writeln!(saida)?;
    contas(saida, extrato)?;
    concluir(saida, extrato)?;
    Ok(())
}

fn resumir(saida: &mut impl Write, retrato: &mut Retrato, extrato: &Extrato) -> Result<(), Falha> {
    let (mut resumo, mut numero) = (Resumo::default(), 0);
    for lote in retrato.vendas() {
        uma_a_uma(&mut numero, &lote?, |venda| {
            resumo.anotar(venda.instante, &venda.endereco);
            Ok(())
        })?;
    }
    writeln!(saida, "Estoque em {}\n", retrato.gateway.urls())?;
    contas(saida, extrato)?;
    resumo.escrever(saida)?;
    concluir(saida, extrato)?;
    Ok(())
}

fn contas(saida: &mut impl Write, extrato: &Extrato) -> io::Result<()> {
    let Extrato { inicial, repostas, vendidas, restantes, .. } = extrato;
    writeln!(saida, "  inicial   {inicial:>9}\n  reposto   {repostas:>9}")?;
    writeln!(saida, "  vendido   {vendidas:>9}\n  à venda   {restantes:>9}\n")
}

fn concluir(saida: &mut impl Write, extrato: &Extrato) -> io::Result<()> {
    match &extrato.dano {
        None => writeln!(
            saida,
            "Íntegro: vendido + à venda = inicial + reposto, e nenhuma unidade foi vendida duas vezes."
        ),
        Some(dano) => writeln!(saida, "NÃO ESTÁ ÍNTEGRO: {dano}."),
    }
}

fn planilha(saida: &mut impl Write, retrato: &mut Retrato) -> Result<(), Falha> {
    let mut planilha = csv::WriterBuilder::new().has_headers(false).from_writer(saida);
    let gravar = |erro: csv::Error| match erro.into_kind() {
        csv::ErrorKind::Io(erro) => erro,
        _ => io::ErrorKind::InvalidData.into(),
    };
    let titulos = ["numero", "instante", "servidor", "endereco", "restante", "pedido"];
    planilha.write_record(titulos).map_err(gravar)?;
    let mut numero = 0;
    for lote in retrato.vendas() {
        uma_a_uma(&mut numero, &lote?, |venda| {
            let pedido = venda.pedido.map(inofensivo);
            planilha.serialize(UmaVenda { pedido: pedido.as_deref(), ..venda }).map_err(gravar)
        })?;
    }
    planilha.flush()?;
    Ok(())
}

/// `formato` sobe quando uma chave muda de sentido. As vendas vêm por último, uma por linha.
fn documento(
    saida: &mut impl Write,
    retrato: &mut Retrato,
    extrato: &Extrato,
) -> Result<(), Falha> {
    let comeco = serde_json::to_string(&Documento {
        formato: 1,
        estoque: retrato.gateway.urls(),
        integro: extrato.dano.is_none(),
        dano: extrato.dano.as_deref(),
        inicial: extrato.inicial,
        repostas: extrato.repostas,
        vendidas: extrato.vendidas,
        restantes: extrato.restantes,
        entradas: retrato
            .entradas
            .iter()
            .map(|Entrada { instante, unidades, .. }| UmaEntrada { instante, unidades: *unidades })
            .collect(),
    })
    .map_err(io::Error::from)?;
    write!(saida, "{},\"vendas\":[", comeco.strip_suffix('}').unwrap_or(&comeco))?;
    let (mut numero, mut separador) = (0, "\n");
    for lote in retrato.vendas() {
        uma_a_uma(&mut numero, &lote?, |venda| {
            write!(saida, "{separador}{}", serde_json::to_string(&venda)?)?;
            separador = ",\n";
            Ok(())
        })?;
    }
    writeln!(saida, "\n]}}")?;
    Ok(())
}
