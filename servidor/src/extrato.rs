//! O extrato: o que há em um livro, para gente (`servidor extrato vendas.db`), para planilhas
//! (`--csv`) e para programas (`--json`), com as contas e o veredito; ou só as contas (`--resumo`).
//!
//! Só lê, e pode ser pedido com o servidor vendendo. Mostra o livro em um instante, o do começo: o que se
//! vendeu até ali não muda mais. As vendas se leem aos poucos, e o livro se fecha antes de cada pedaço ser
//! escrito: uma saída que não anda (`| less`) não segura nada, nem um livro de milhões vai para a memória.

mod resumo;

use std::borrow::Cow;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::vec::IntoIter;

use protocolo::terminal::{explicar, inofensivo};
use rusqlite::{Connection, Row};
use serde::Serialize;

pub(crate) use resumo::Resumo;

use crate::livro::{Conferencia, Contas, Erro, Leitura, conferir, falta_wal, tem_pedidos};

/// Quantas vendas se leem de cada vez.
const VENDAS_POR_VEZ: i64 = 10_000;

/// Para quem é o extrato.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forma {
    /// Para ler.
    Tabela,
    /// Só as contas, quando se vendeu e quem comprou mais, e se tudo fecha.
    Resumo,
    /// As vendas, uma por linha; as contas ficam de fora.
    Csv,
    /// Tudo, em um documento.
    Json,
}

/// O que se concluiu de um livro.
#[derive(Debug)]
pub struct Veredito {
    /// As contas.
    pub contas: Contas,
    /// O que não fecha; `None` se tudo fecha.
    pub dano: Option<Cow<'static, str>>,
}

/// Por que o extrato parou no meio.
#[derive(Debug, thiserror::Error)]
pub enum Falha {
    /// O livro não se deixa ler.
    #[error(transparent)]
    Livro(#[from] Erro),
    /// A saída não aceita mais nada.
    #[error("não posso escrever: {}", explicar(.0))]
    Saida(#[from] io::Error),
}

/// O começo do documento; as vendas vêm por último, uma por linha. `formato` sobe quando uma chave muda de
/// sentido.
#[derive(Serialize)]
struct Documento<'a> {
    formato: u32,
    livro: Cow<'a, str>,
    integro: bool,
    dano: Option<&'a str>,
    inicial: u64,
    repostas: u64,
    vendidas: u64,
    restantes: u64,
    estoque: &'a [Entrada],
}

/// Unidades que entraram no estoque.
#[derive(Serialize)]
struct Entrada {
    instante: String,
    tipo: String,
    unidades: i64,
    depois_da_venda: i64,
}

/// Uma venda, como está no livro.
#[derive(Serialize)]
struct Venda {
    numero: i64,
    instante: String,
    endereco: String,
    restante: i64,
    /// O id com que foi pedida, se foi com um PEDIDO.
    pedido: Option<String>,
}

/// Escreve o extrato do livro em `saida` e diz o que se concluiu dele.
///
/// # Errors
///
/// O livro não se deixa ler (não existe, não é um livro, as páginas estão danificadas), ou `saida`
/// falhou. Contas que não fecham não são um erro: são o veredito.
pub fn extrair(caminho: &Path, forma: Forma, saida: &mut impl Write) -> Result<Veredito, Falha> {
    let (veredito, entradas, ultima) = concluir(caminho)?;
    let vendas = Vendas { caminho, lida: 0, ultima, lidas: Vec::new().into_iter() };
    match forma {
        Forma::Tabela => tabela(saida, caminho, &veredito, &entradas, vendas)?,
        Forma::Resumo => resumir(saida, caminho, &veredito, vendas)?,
        Forma::Csv => planilha(saida, vendas)?,
        Forma::Json => documento(saida, caminho, &veredito, &entradas, vendas)?,
    }
    saida.flush()?;
    Ok(veredito)
}

/// O veredito, as entradas no estoque e o número da última venda, de um instante só.
fn concluir(caminho: &Path) -> Result<(Veredito, Vec<Entrada>, i64), Erro> {
    let mut leitura = Leitura::abrir(caminho)?;
    let banco = &mut leitura.banco;
    let mut ler = || {
        // Sem isto, cada consulta veria o livro em um instante diferente.
        banco.execute_batch("BEGIN")?;
        let Conferencia { contas, dano } = conferir(banco, |_| {})?;
        let ultima = "SELECT coalesce(max(numero), 0) FROM vendas";
        let ultima = banco.query_row(ultima, [], |linha| linha.get(0))?;
        Ok((contas, dano.map(Cow::from), ler_entradas(banco)?, ultima))
    };
    let (contas, dano, entradas, ultima) = ler().map_err(|erro| Erro::do_banco(caminho, erro))?;
    let falta = leitura.falta.map(|wal| Cow::from(falta_wal(&wal)));
    Ok((Veredito { contas, dano: falta.or(dano) }, entradas, ultima))
}

/// As vendas até a última, na ordem, lidas aos poucos.
struct Vendas<'a> {
    caminho: &'a Path,
    lida: i64,
    ultima: i64,
    lidas: IntoIter<Venda>,
}

impl Vendas<'_> {
    fn ler_mais(&self) -> Result<Vec<Venda>, Erro> {
        let leitura = Leitura::abrir(self.caminho)?;
        let ler = || {
            let pedido = match tem_pedidos(&leitura.banco)? {
                true => "(SELECT pedido FROM pedidos WHERE venda = numero)",
                false => "NULL",
            };
            let mut vendas = leitura.banco.prepare(&format!(
                "SELECT numero, instante, endereco, restante, {pedido} FROM vendas
                 WHERE numero > ?1 AND numero <= ?2 ORDER BY numero LIMIT ?3",
            ))?;
            let vendas = vendas.query_map([self.lida, self.ultima, VENDAS_POR_VEZ], ler_venda)?;
            vendas.collect::<rusqlite::Result<_>>()
        };
        ler().map_err(|erro| Erro::do_banco(self.caminho, erro))
    }
}

impl Iterator for Vendas<'_> {
    type Item = Result<Venda, Falha>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.lidas.len() == 0 {
            match self.ler_mais() {
                Ok(mais) => self.lidas = mais.into_iter(),
                Err(erro) => {
                    self.lida = self.ultima;
                    return Some(Err(erro.into()));
                }
            }
        }
        let venda = self.lidas.next()?;
        self.lida = venda.numero;
        Some(Ok(venda))
    }
}

fn ler_entradas(banco: &Connection) -> rusqlite::Result<Vec<Entrada>> {
    let consulta = "SELECT instante, tipo, unidades, depois_da_venda FROM estoque ORDER BY numero";
    let mut consulta = banco.prepare(consulta)?;
    let entradas = consulta.query_map([], |linha| {
        Ok(Entrada {
            instante: linha.get(0)?,
            tipo: linha.get(1)?,
            unidades: linha.get(2)?,
            depois_da_venda: linha.get(3)?,
        })
    })?;
    entradas.collect()
}

fn ler_venda(linha: &Row<'_>) -> rusqlite::Result<Venda> {
    Ok(Venda {
        numero: linha.get(0)?,
        instante: linha.get(1)?,
        endereco: linha.get(2)?,
        restante: linha.get(3)?,
        pedido: linha.get(4)?,
    })
}

/// As vendas, com cada entrada de estoque no lugar em que aconteceu; e as contas.
fn tabela(
    saida: &mut impl Write,
    caminho: &Path,
    veredito: &Veredito,
    entradas: &[Entrada],
    vendas: impl Iterator<Item = Result<Venda, Falha>>,
) -> Result<(), Falha> {
    writeln!(saida, "Livro {}\n", caminho.display())?;
    writeln!(saida, "{:>9}  {:24}  {:>21}  {:>9}", "venda", "instante", "endereço", "restante")?;
    let mut entradas = entradas.iter().peekable();
    for venda in vendas {
        let venda = venda?;
        while let Some(entrada) = entradas.next_if(|e| e.depois_da_venda < venda.numero) {
            linha_de_entrada(saida, entrada)?;
        }
        let Venda { numero, instante, endereco, restante, pedido } = venda;
        let pedido = pedido.map(|id| format!("  pedido {id}")).unwrap_or_default();
        writeln!(saida, "{numero:>9}  {instante:24}  {endereco:>21}  {restante:>9}{pedido}")?;
    }
    for entrada in entradas {
        linha_de_entrada(saida, entrada)?;
    }
    writeln!(saida)?;
    contas(saida, veredito)?;
    concluir_por_escrito(saida, veredito)?;
    Ok(())
}

fn resumir(
    saida: &mut impl Write,
    caminho: &Path,
    veredito: &Veredito,
    vendas: impl Iterator<Item = Result<Venda, Falha>>,
) -> Result<(), Falha> {
    let mut resumo = Resumo::default();
    for venda in vendas {
        let venda = venda?;
        resumo.anotar(&venda.instante, &venda.endereco);
    }
    writeln!(saida, "Livro {}\n", caminho.display())?;
    contas(saida, veredito)?;
    resumo.escrever(saida)?;
    concluir_por_escrito(saida, veredito)?;
    Ok(())
}

fn contas(saida: &mut impl Write, veredito: &Veredito) -> io::Result<()> {
    let Contas { inicial, repostas, vendidas } = veredito.contas;
    let restantes = veredito.contas.restantes();
    writeln!(saida, "  inicial   {inicial:>9}\n  reposto   {repostas:>9}")?;
    writeln!(saida, "  vendido   {vendidas:>9}\n  à venda   {restantes:>9}\n")
}

fn concluir_por_escrito(saida: &mut impl Write, veredito: &Veredito) -> io::Result<()> {
    match &veredito.dano {
        None => writeln!(
            saida,
            "Íntegro: vendido + à venda = inicial + reposto, e cada restante é o que devia ser."
        ),
        Some(dano) => writeln!(saida, "NÃO ESTÁ ÍNTEGRO: {dano}."),
    }
}

fn linha_de_entrada(saida: &mut impl Write, entrada: &Entrada) -> io::Result<()> {
    let Entrada { instante, tipo, unidades, .. } = entrada;
    let nome = if tipo == "inicial" { "estoque inicial" } else { "reposição" };
    writeln!(saida, "{:>9}  {instante:24}  {nome:>21}  {unidades:>+9}", "")
}

fn planilha(
    saida: &mut impl Write,
    vendas: impl Iterator<Item = Result<Venda, Falha>>,
) -> Result<(), Falha> {
    let mut planilha = csv::WriterBuilder::new().has_headers(false).from_writer(saida);
    // Um `io::Error` feito de um `csv::Error` esconde a causa, e um `| head` é uma causa que importa.
    let gravar = |erro: csv::Error| match erro.into_kind() {
        csv::ErrorKind::Io(erro) => Falha::Saida(erro),
        _ => Falha::Saida(ErrorKind::InvalidData.into()),
    };
    // Sem nenhuma venda, a primeira linha também é escrita.
    planilha
        .write_record(["numero", "instante", "endereco", "restante", "pedido"])
        .map_err(gravar)?;
    for venda in vendas {
        let mut venda = venda?;
        venda.pedido = venda.pedido.as_deref().map(inofensivo);
        planilha.serialize(venda).map_err(gravar)?;
    }
    planilha.flush()?;
    Ok(())
}

fn documento(
    saida: &mut impl Write,
    caminho: &Path,
    veredito: &Veredito,
    entradas: &[Entrada],
    vendas: impl Iterator<Item = Result<Venda, Falha>>,
) -> Result<(), Falha> {
    let Contas { inicial, repostas, vendidas } = veredito.contas;
    let comeco = serde_json::to_string(&Documento {
        formato: 1,
        livro: caminho.to_string_lossy(),
        integro: veredito.dano.is_none(),
        dano: veredito.dano.as_deref(),
        inicial,
        repostas,
        vendidas,
        restantes: veredito.contas.restantes(),
        estoque: entradas,
    })
    .map_err(io::Error::from)?;
    write!(saida, "{},\"vendas\":[", comeco.strip_suffix('}').unwrap_or(&comeco))?;
    let mut separador = "\n";
    for venda in vendas {
        write!(saida, "{separador}{}", serde_json::to_string(&venda?).map_err(io::Error::from)?)?;
        separador = ",\n";
    }
    writeln!(saida, "\n]}}")?;
    Ok(())
}
