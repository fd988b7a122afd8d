//! A planilha da turma, uma linha por entrega. Os números têm ponto, como o resto do que se escreve para programas.

use std::io;

use protocolo::mensagem::visivel;
use protocolo::terminal::inofensivo;

use super::resultado::{ClienteVisto, Desfecho, Resultado};
use crate::observacao::regras::Estado;

const COLUNAS: [&str; 21] = [
    "nome",
    "id",
    "nota",
    "multithreading",
    "exclusao_mutua",
    "protocolo",
    "robustez",
    "extra_log",
    "extra_aviso",
    "situacao",
    "razao",
    "servidor",
    "cliente",
    "cliente_cumpridas",
    "cliente_nao_cumpridas",
    "cliente_visto",
    "cliente_pontos",
    "preparar",
    "iniciar",
    "origem",
    "observacoes",
];

/// O CSV inteiro.
///
/// # Errors
///
/// Não há: escreve-se na memória.
pub fn escrever(resultados: &[Resultado]) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(COLUNAS)?;
    for resultado in resultados {
        csv.write_record(linha(resultado).iter().map(|campo| inofensivo(campo)))?;
    }
    csv.into_inner().map_err(|erro| io::Error::other(erro.to_string()))
}

/// Os nomes dos arquivos e os comandos são de quem entregou, e podem ter sequências de controle.
fn linha(resultado: &Resultado) -> Vec<String> {
    let numero = |valor: f64| format!("{valor:.2}");
    let (itens, extras) = match &resultado.desfecho {
        Desfecho::Avaliada(avaliada) => (
            avaliada.itens.iter().map(|item| numero(item.pontos)).collect(),
            avaliada.extras.iter().map(|extra| extra.estado.clone()).collect(),
        ),
        Desfecho::NaoAbriu { .. } | Desfecho::SemNota { .. } => (Vec::new(), Vec::new()),
    };
    let mut campos = vec![
        resultado.nome.clone(),
        resultado.id.clone().unwrap_or_default(),
        resultado.nota().map(numero).unwrap_or_default(),
    ];
    campos.extend(ate(itens, 4));
    campos.extend(ate(extras, 2));
    campos.extend([
        resultado.situacao().to_owned(),
        resultado.razao(),
        visivel(&resultado.servidor),
        visivel(resultado.cliente.as_deref().unwrap_or_default()),
    ]);
    campos.extend(do_cliente(resultado.observado.as_ref()));
    let vale = resultado.pesos.cliente > 0.0;
    campos.extend([
        resultado.pontos_do_cliente().filter(|_| vale).map(numero).unwrap_or_default(),
        visivel(resultado.preparar.as_deref().unwrap_or_default()),
        visivel(&resultado.iniciar),
        resultado.origem.clone(),
        resultado.notas.join("; "),
    ]);
    campos
}

/// Quantas exigências o cliente cumpriu, as que não, e em uma linha o que se viu; vazios, se não se observou.
fn do_cliente(visto: Option<&ClienteVisto>) -> [String; 3] {
    let Some(visto) = visto else { return Default::default() };
    let faltam: Vec<&str> =
        visto.com(Estado::NaoCumprido).iter().map(|exigencia| exigencia.chave.as_str()).collect();
    let cumpridas = match visto {
        ClienteVisto::Observado { .. } => visto.com(Estado::Cumprido).len().to_string(),
        ClienteVisto::NaoSeViu { .. } => String::new(),
    };
    [cumpridas, faltam.join(" "), visto.resumo()]
}

fn ate(mut campos: Vec<String>, quantos: usize) -> Vec<String> {
    campos.resize(quantos, String::new());
    campos
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::turma::resultado::exemplos::{avaliada, com_cliente, nao_abriu};

    #[test]
    fn cada_entrega_tem_uma_linha_com_todas_as_colunas() {
        let texto =
            String::from_utf8(escrever(&[avaliada("Ana", 9.5), nao_abriu("=cmd()")]).unwrap())
                .unwrap();
        let mut leitor = csv::Reader::from_reader(texto.as_bytes());
        let linhas: Vec<_> = leitor.records().map(Result::unwrap).collect();
        assert_eq!((&linhas[0][0], &linhas[0][2], &linhas[0][9]), ("Ana", "9.50", "avaliada"));
        assert_eq!((&linhas[1][0], &linhas[1][2], &linhas[1][9]), ("'=cmd()", "0.00", "não abre"));
        assert!(linhas.iter().all(|linha| linha.len() == COLUNAS.len()));
    }

    #[test]
    fn o_cliente_que_vale_pontos_entra_na_nota_e_tem_a_sua_coluna() {
        let pontos = |vale| {
            let vistas = [("§5.1", Estado::Cumprido), ("§5.3", Estado::NaoCumprido)];
            let linha = linha(&com_cliente(avaliada("Ana", 9.5), &vistas, vale));
            let coluna = |nome| COLUNAS.iter().position(|coluna| *coluna == nome).unwrap();
            ["nota", "cliente_pontos", "preparar"].map(|nome| linha[coluna(nome)].clone())
        };
        assert_eq!(pontos(0.0), ["9.50", "", ""]);
        assert_eq!(pontos(3.0), ["11.00", "1.50", ""]);
    }
}
