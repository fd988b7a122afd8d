//! A planilha da turma, uma linha por entrega. Os números têm ponto, como o resto do que se escreve para programas.

use std::collections::BTreeMap;
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

/// Em `nova` falta alguma linha que `antes` tinha, ou a nota de alguma, ou o que se viu do cliente?
pub fn perde(antes: &[u8], nova: &[u8]) -> bool {
    let nova = o_que_tem(nova);
    o_que_tem(antes).iter().any(|(quem, antes)| {
        let agora = nova.get(quem).copied().unwrap_or_default();
        antes.iter().zip(agora).any(|(antes, agora)| *antes > agora)
    })
}

/// De cada pessoa, quantas linhas há, quantas têm nota e em quantas se viu o cliente: duas podem ter o mesmo nome.
fn o_que_tem(planilha: &[u8]) -> BTreeMap<[String; 2], [usize; 3]> {
    let mut leitor = csv::ReaderBuilder::new().flexible(true).from_reader(planilha);
    let titulos = leitor.headers().cloned().unwrap_or_default();
    let onde = |nome| titulos.iter().position(|titulo| titulo == nome);
    let [nome, id, nota, visto] = ["nome", "id", "nota", "cliente_visto"].map(onde);
    let mut pessoas = BTreeMap::new();
    for linha in leitor.records().map_while(Result::ok) {
        let campo = |coluna: Option<usize>| coluna.and_then(|c| linha.get(c)).unwrap_or_default();
        let conta: &mut [usize; 3] =
            pessoas.entry([nome, id].map(|c| campo(c).to_owned())).or_default();
        conta[0] += 1;
        conta[1] += usize::from(!campo(nota).is_empty());
        conta[2] += usize::from(!campo(visto).is_empty());
    }
    pessoas
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
        visivel(&resultado.nome),
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
    fn perde_quem_ja_nao_tem_a_linha_a_nota_ou_o_que_se_viu_do_cliente() {
        let vistas = [("§5.1", Estado::Cumprido)];
        let ana = || com_cliente(avaliada("Ana", 9.5), &vistas, 2.0);
        let por_observar = || Resultado { observado: None, ..ana() };
        let sem_peso = || Resultado { pesos: Default::default(), ..por_observar() };
        let perde = |antes: &[Resultado], nova: &[Resultado]| {
            perde(&escrever(antes).unwrap(), &escrever(nova).unwrap())
        };
        assert!(perde(&[ana(), nao_abriu("=Beto")], &[ana()]), "a linha");
        assert!(perde(&[avaliada("Ana", 9.5)], &[por_observar()]), "a nota");
        assert!(perde(&[ana()], &[sem_peso()]), "o cliente");
        assert!(perde(&[ana(), ana()], &[ana()]), "outra com o mesmo nome");
        assert!(!perde(&[ana(), nao_abriu("=Beto")], &[nao_abriu("=Beto"), ana()]));
        assert!(!perde(&[por_observar()], &[ana()]));
        assert!(!super::perde(b"", &escrever(&[]).unwrap()), "não havia nada");
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
