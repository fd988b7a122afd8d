//! A conferência: um livro fecha? Lê-se cada página e cada venda uma vez, e o que se gasta cresce com as
//! vendas, haja quantas reposições houver.

use std::iter::Peekable;
use std::time::{Duration, Instant};
use std::vec::IntoIter;

use rusqlite::{Connection, ErrorCode};

use super::formato::Contas;

/// De quanto em quanto tempo se diz até onde se leu.
const ENTRE_AVISOS: Duration = Duration::from_secs(1);

/// De quantas em quantas vendas se olha o relógio.
const VENDAS_POR_OLHADA: u64 = 1 << 16;

/// De quantas em quantas operações do SQLite, enquanto ele confere as páginas.
const OPERACOES_POR_OLHADA: i32 = 1 << 14;

/// Em que parte da conferência se está.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Andamento {
    /// Página por página.
    Paginas,
    /// Venda por venda; já se leram estas.
    Vendas(u64),
}

/// O que se concluiu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conferencia {
    pub(crate) contas: Contas,
    /// O que não fecha; `None` se tudo fecha.
    pub(crate) dano: Option<&'static str>,
}

/// O que nunca vale na tabela `estoque` de um livro são: cada consulta dá alguma linha se isto aconteceu.
const DO_ESTOQUE: [(&str, &str); 3] = [
    (
        "não diz com quanto começou",
        "SELECT 1 WHERE (SELECT count(*) FROM estoque WHERE tipo = 'inicial') <> 1",
    ),
    ("há uma quantidade negativa", "SELECT 1 FROM estoque WHERE unidades < 0"),
    (
        "há uma reposição de depois da última venda",
        "SELECT 1 FROM estoque
         WHERE depois_da_venda > (SELECT coalesce(max(numero), 0) FROM vendas)",
    ),
];

/// O que nunca vale dos pedidos numerados, que só há desde o formato 2.
const DOS_PEDIDOS: [(&str, &str); 2] = [
    (
        "há um pedido vendido e recusado",
        "SELECT 1 FROM recusas JOIN pedidos ON pedidos.pedido = recusas.pedido",
    ),
    (
        "há um pedido de uma venda que não há",
        "SELECT 1 FROM pedidos LEFT JOIN vendas ON numero = venda WHERE numero IS NULL",
    ),
];

/// Tem pedidos numerados? Os do formato 1 não têm.
pub(crate) fn tem_pedidos(banco: &Connection) -> rusqlite::Result<bool> {
    banco.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'recusas'")?.exists([])
}

/// Confere o livro inteiro, e conta o que há nele. Se demora, diz por onde anda.
pub(crate) fn conferir(
    banco: &mut Connection,
    dizer: fn(Andamento),
) -> rusqlite::Result<Conferencia> {
    let mut nas_paginas = Ritmo::novo();
    banco.progress_handler(
        OPERACOES_POR_OLHADA,
        Some(move || {
            if nas_paginas.e_hora() {
                dizer(Andamento::Paginas);
            }
            false
        }),
    )?;
    let paginas = banco.query_row("PRAGMA quick_check(1)", [], |linha| linha.get::<_, String>(0));
    banco.progress_handler(0, None::<fn() -> bool>)?;
    let nas_paginas = (paginas? != "ok").then_some("há páginas estragadas");
    match conferir_as_tabelas(banco, dizer) {
        Ok(Conferencia { contas, dano }) => Ok(Conferencia { contas, dano: nas_paginas.or(dano) }),
        Err(erro) if nas_paginas.is_some() || sem_sentido(&erro) => Ok(Conferencia {
            contas: Contas { inicial: 0, repostas: 0, vendidas: 0 },
            dano: nas_paginas.or(Some("as tabelas não são as de um livro")),
        }),
        Err(erro) => Err(erro),
    }
}

/// A consulta é que não tem sentido neste arquivo: faltam tabelas, não há números onde devia, ou a soma não
/// cabe.
fn sem_sentido(erro: &rusqlite::Error) -> bool {
    matches!(erro.sqlite_error_code(), None | Some(ErrorCode::Unknown))
}

fn conferir_as_tabelas(banco: &Connection, dizer: fn(Andamento)) -> rusqlite::Result<Conferencia> {
    let dos_pedidos = if tem_pedidos(banco)? { &DOS_PEDIDOS[..] } else { &[] };
    let mut dano = None;
    for (qual, consulta) in DO_ESTOQUE.iter().chain(dos_pedidos) {
        if dano.is_none() && banco.prepare(consulta)?.exists([])? {
            dano = Some(*qual);
        }
    }
    let (vendidas, nas_vendas) = conferir_as_vendas(banco, dizer)?;
    let contas = Contas { vendidas, ..contar(banco)? };
    Ok(Conferencia { contas, dano: dano.or(nas_vendas) })
}

/// Cada venda com o seu número, e o restante que devia ter: o que entrou no estoque antes dela, menos o
/// número dela. Diz quantas há, e o que não fecha.
fn conferir_as_vendas(
    banco: &Connection,
    dizer: fn(Andamento),
) -> rusqlite::Result<(u64, Option<&'static str>)> {
    let mut entradas = entradas(banco)?;
    let mut consulta = banco.prepare("SELECT numero, restante FROM vendas ORDER BY numero")?;
    let mut linhas = consulta.query([])?;
    let (mut vendidas, mut entraram, mut dano) = (0, 0, None);
    let mut ritmo = Ritmo::novo();
    while let Some(linha) = linhas.next()? {
        let (numero, restante): (i64, i64) = (linha.get(0)?, linha.get(1)?);
        vendidas += 1;
        while let Some((_, unidades)) = entradas.next_if(|(depois, _)| *depois < numero) {
            entraram += i128::from(unidades);
        }
        if restante < 0 {
            dano = dano.or(Some("há uma quantidade negativa"));
        } else if i128::from(numero) != i128::from(vendidas) {
            dano = dano.or(Some("faltam vendas no meio"));
        } else if i128::from(restante) != entraram - i128::from(numero) {
            dano = dano.or(Some("há uma venda cujo restante não é o que devia ser"));
        }
        if vendidas % VENDAS_POR_OLHADA == 0 && ritmo.e_hora() {
            dizer(Andamento::Vendas(vendidas));
        }
    }
    Ok((vendidas, dano))
}

/// As entradas no estoque, na ordem em que contam: depois de que venda, e quantas unidades.
fn entradas(banco: &Connection) -> rusqlite::Result<Peekable<IntoIter<(i64, i64)>>> {
    let mut consulta =
        banco.prepare("SELECT depois_da_venda, unidades FROM estoque ORDER BY depois_da_venda")?;
    let entradas = consulta.query_map([], |linha| Ok((linha.get(0)?, linha.get(1)?)))?;
    let entradas: Vec<_> = entradas.collect::<rusqlite::Result<_>>()?;
    Ok(entradas.into_iter().peekable())
}

/// O que um livro que fecha diz do estoque, sem o ler todo: as vendas se numeram de um em um.
pub(super) fn contar(banco: &Connection) -> rusqlite::Result<Contas> {
    let numero = |consulta: &str| -> rusqlite::Result<u64> {
        let numero: i64 = banco.query_row(consulta, [], |linha| linha.get(0))?;
        // O que é negativo não passa pela conferência.
        Ok(u64::try_from(numero).unwrap_or_default())
    };
    Ok(Contas {
        inicial: numero("SELECT coalesce(sum(unidades), 0) FROM estoque WHERE tipo = 'inicial'")?,
        repostas: numero(
            "SELECT coalesce(sum(unidades), 0) FROM estoque WHERE tipo = 'reposicao'",
        )?,
        vendidas: numero("SELECT coalesce(max(numero), 0) FROM vendas")?,
    })
}

/// Diz uma coisa de vez em quando.
struct Ritmo(Instant);

impl Ritmo {
    fn novo() -> Self {
        Ritmo(Instant::now())
    }

    fn e_hora(&mut self) -> bool {
        let passou = self.0.elapsed() >= ENTRE_AVISOS;
        if passou {
            self.0 = Instant::now();
        }
        passou
    }
}
